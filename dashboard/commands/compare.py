"""Open two recordings, and show them on one axis."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.serve import serve
from dashboard.server.programs import ports
from dashboard.server.recordings.opening import open_recording

if TYPE_CHECKING:
    import argparse

    from dashboard.server.settings import Settings


def compare(settings: Settings, options: argparse.Namespace) -> int:
    """Serve the page of two files; return the exit code.

    Raises:
        RecordingError: one of them cannot be opened.
    """
    one, other = (open_recording(Path(name)) for name in (options.one, options.other))
    return serve(
        replace(settings, demo=False),
        open_browser=options.open,
        opened=one,
        beside=other,
        lines=[
            f"comparing    {ports.url(settings.host, settings.port)}/compare  "
            f"({one.past.name} with {other.past.name})"
        ],
    )
