"""The public surface is what `dashboard.__all__` says, and every part of it works."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dashboard
from dashboard import errors

PROMISED = ["__version__", "mark", "observe", "phases", "record"]


def test_surface():
    """`__all__` is the promised surface; every name is there and documented."""
    assert sorted(dashboard.__all__) == PROMISED
    for name in dashboard.__all__:
        assert getattr(dashboard, name)
    for name in ("mark", "observe", "phases", "record"):
        assert inspect.getdoc(getattr(dashboard, name))


def test_nothing_else():
    """A fresh import of the package shows no other public name."""
    program = "import dashboard; print(*(n for n in vars(dashboard) if n[0] != '_'))"
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(dashboard.__file__).parents[1],
    )

    # What the module needs for itself is no promise, and short.
    assert run.stderr == ""
    assert set(run.stdout.split()) <= {"annotations", "TYPE_CHECKING", "Any"}


def test_unknown_name():
    """A name that does not exist is an ordinary AttributeError."""
    with pytest.raises(AttributeError, match="'dashboard' has no attribute 'obsrve'"):
        dashboard.obsrve  # noqa: B018


def test_version():
    """The version is one that packaging understands."""
    assert re.fullmatch(
        r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.dev\d+)?", dashboard.__version__
    )


def test_errors_are_drawn():
    """The tree in the docstring of `errors` is the tree of the classes."""
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__)
    classes = [
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.DashboardError)
    ]

    assert sorted(["DashboardError", *drawn]) == sorted(classes)


def test_errors_have_one_base():
    """Every error can be caught as a DashboardError, and says what it is for."""
    for name, value in vars(errors).items():
        if inspect.isclass(value):
            assert issubclass(value, errors.DashboardError), name
            assert inspect.getdoc(value), name
