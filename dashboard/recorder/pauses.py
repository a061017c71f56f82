"""Record when the garbage collector stopped the world.

Python calls us before and after each collection, in whichever thread it happens;
all threads stand still meanwhile. Short ones, which is most of them, are not worth
a record: two clock reads are all they cost.
"""

from __future__ import annotations

import gc
import time
from threading import get_ident
from typing import TYPE_CHECKING, Any

from dashboard.records import Kind

if TYPE_CHECKING:
    from dashboard.recorder.recorder import Recorder

#: What nobody would notice on a timeline.
WORTH_NS = 200_000

#: Who is told; one callback serves all loops of the process.
_recorders: list[Recorder] = []
_began_ns = 0


class PauseHooks:
    """Tell one recorder of pauses, from `install` to `remove`."""

    def __init__(self, rec: Recorder) -> None:
        self._rec = rec

    def install(self) -> None:
        """Begin to listen."""
        _recorders.append(self._rec)
        if _on_collection not in gc.callbacks:
            gc.callbacks.append(_on_collection)

    def remove(self) -> None:
        """Stop; the last to leave takes the callback off."""
        if self._rec in _recorders:
            _recorders.remove(self._rec)
        if not _recorders and _on_collection in gc.callbacks:
            gc.callbacks.remove(_on_collection)


def _on_collection(phase: str, info: dict[str, Any]) -> None:
    global _began_ns
    now_ns = time.monotonic_ns()
    if phase == "start":
        _began_ns = now_ns
    elif now_ns - _began_ns >= WORTH_NS:
        for rec in _recorders:
            tell_pause(rec, _began_ns, now_ns, info["generation"])


def tell_pause(rec: Recorder, began_ns: int, ended_ns: int, generation: int) -> None:
    """Record a pause that one loop had."""
    if not rec.enabled:
        return
    try:
        is_ours = get_ident() == rec.thread_id
        rec.ring.write(Kind.PAUSE, began_ns, ended_ns, generation, is_ours)
    except Exception as error:  # noqa: BLE001 - nothing may reach the app
        rec.fail(error)
