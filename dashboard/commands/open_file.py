"""Open a recording, or the ring of a process that is gone, and show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.serve import serve
from dashboard.server.recordings.opening import begin_recording

if TYPE_CHECKING:
    import argparse

    from dashboard.server.settings import Settings


def open_file(settings: Settings, options: argparse.Namespace) -> int:
    """Serve the page of a file; return the exit code.

    Raises:
        RecordingError: it cannot be opened.
    """
    opened = begin_recording(Path(options.file))
    seconds = (opened.past.to_ns - opened.past.from_ns) / 1e9
    return serve(
        replace(settings, demo=False),
        open_browser=options.open,
        opened=opened,
        lines=[f"showing      {opened.past.name}  ({seconds:,.1f} s)"],
    )
