"""Loopscope: an oscilloscope for asyncio.

`observe(app)` records an ASGI app and its loop, `record()` any other loop, `mark()`
says there that something happened, `phases()` has FastAPI tell what it is at; the
`loopscope` command shows what they record. Nothing heavy is imported here: this module
runs inside the observed program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboard.recorder.attach import mark, observe, record
    from dashboard.recorder.phases import phases

__all__ = ["__version__", "mark", "observe", "phases", "record"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in {"mark", "observe", "record"}:
        from dashboard.recorder import attach

        return getattr(attach, name)
    if name == "phases":
        from dashboard.recorder.phases import phases

        return phases
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
