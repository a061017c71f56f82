"""Replace a method of one object, and put back what was there."""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def replaced(owner: Any, name: str) -> Any:
    """Return what someone put in place of an instance's method, or None.

    Without a look into `__dict__`: from then on the interpreter would find every
    attribute and method of the loop by a dictionary, not by its place.
    """
    found = getattr(owner, name)
    is_stock = getattr(found, "__self__", None) is owner
    return None if is_stock else found


def restore(owner: Any, name: str, ours: Any, stock: Any) -> None:
    """Put `stock` (None: the class's own) back in place of `ours`, if it is there."""
    if getattr(owner, name) is not ours:
        return
    if stock is None:
        with suppress(AttributeError):
            delattr(owner, name)
    else:
        setattr(owner, name, stock)
