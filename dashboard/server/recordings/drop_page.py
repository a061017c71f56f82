"""Make the page of a file that somebody dropped: a program of its own, run by `drops.py`.

    python -m dashboard.server.recordings.drop_page FILE PAGE

Whatever the file holds, it costs this process's time and memory and no other's, and both
are bounded by the system. Prints one sentence if it cannot be shown.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from dashboard.errors import RecordingError
from dashboard.server.dashboard import Dashboard
from dashboard.server.presses.budgets import (
    DROP_CPU_S,
    DROP_MEMORY_BYTES,
    DROP_PAGE_BYTES,
)
from dashboard.server.recordings.opening import open_recording
from dashboard.server.routes.handout_routes import write_page
from dashboard.server.settings import Settings

REFUSED = 3


def main() -> int:
    """Write the page; return the exit code."""
    file, page = map(Path, sys.argv[1:])
    _bound()
    try:
        opened = open_recording(file)
        dashboard = Dashboard(Settings(demo=False), opened)
        page.write_text(asyncio.run(write_page(dashboard)), errors="replace")
        dashboard.advice.close()
    except RecordingError as error:
        print(error)  # noqa: T201 - the sentence is what it answers
    except (MemoryError, OSError):
        print(f"{file.name} is too much for a page")  # noqa: T201 - as above
    else:
        return 0
    return REFUSED


def _bound() -> None:
    # Who watches comes first.
    os.nice(10)
    limits = (
        (resource.RLIMIT_AS, DROP_MEMORY_BYTES),
        (resource.RLIMIT_CPU, DROP_CPU_S),
        (resource.RLIMIT_FSIZE, DROP_PAGE_BYTES),
    )
    for what, most in limits:
        # Not every system knows every limit.
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    sys.exit(main())
