"""The process that wrote a ring: whether it still lives, and whose child it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboard.ring.layout import Identity


def process_began(pid: int) -> int | None:
    """Return when `pid` started (clock ticks since boot), or None if it is gone.

    0 means: it exists, but this system does not tell since when.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError as error:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except OSError:
            return 0
        # Where there is a /proc, what is not in it has just gone. Whoever could not
        # look (no descriptor left, no memory) knows nothing against it.
        is_gone = isinstance(error, FileNotFoundError) and os.path.isdir("/proc/self")
        return None if is_gone else 0
    # A zombie has a pid but will never run again.
    return None if fields[0] == "Z" else int(fields[19])


def is_alive(identity: Identity) -> bool:
    """Say whether the process that wrote a ring still exists."""
    began = process_began(identity.pid)
    return began is not None and began in (0, identity.pid_began)


def parent_of(pid: int) -> int:
    """Return the process id of a process's parent; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[1])
