"""Open a recording, or the ring of a process that is gone, and show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.serve import serve
from dashboard.server.opening import open_recording

if TYPE_CHECKING:
    import argparse

    from dashboard.server.settings import Settings


def open_file(settings: Settings, options: argparse.Namespace) -> int:
    """Serve the page of a file; return the exit code.

    Raises:
        RecordingError: it cannot be opened.
    """
    opened = open_recording(Path(options.file))
    count = len(opened.session.loops)
    words = f"{opened.records:,} records of {count} loop{'s' if count > 1 else ''}"
    return serve(
        replace(settings, demo=False),
        open_browser=options.open,
        opened=opened,
        lines=[f"showing      {opened.past.name}  ({words})"],
    )
