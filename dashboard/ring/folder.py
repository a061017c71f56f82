"""The folder of the rings: where it is, that it is private, what is removed from it."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from dashboard.errors import RingError
from dashboard.records import RingState
from dashboard.ring.layout import CELLS_AT
from dashboard.ring.process import process_began

SUFFIX = ".ring"
#: A ring whose header is not written yet.
UNREADY_SUFFIX = ".unready"
#: Stacks that the loop's thread wrote on demand (recorder/dump.py), beside its ring.
DUMP_SUFFIX = ".dump"
#: Rings that are kept after their end. A container's /dev/shm has 64 MB by default,
#: and the living need room, too.
KEEP_ENDED = 3


def default_directory() -> Path:
    """Return the folder where rings are written and looked for.

    `LOOPSCOPE_DIR` if set; else a folder of this user in the first place that is
    in memory: a ring on a disk could make the writer wait for the disk.
    """
    named = os.environ.get("LOOPSCOPE_DIR")
    if named:
        return Path(named)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    for base in (runtime, "/dev/shm"):
        if base and os.access(base, os.W_OK | os.X_OK):
            return Path(base) / f"loopscope-{os.getuid()}"
    return Path(tempfile.gettempdir()) / f"loopscope-{os.getuid()}"


def private_directory(path: Path) -> Path:
    """Make `path` a folder that only this user can enter, or raise RingError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise RingError(
            f"cannot use {str(path)!r} for rings ({error.strerror}); "
            "set LOOPSCOPE_DIR to a folder of yours"
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise RingError(
            f"{str(path)!r} is not a folder of this user; "
            "set LOOPSCOPE_DIR to one that is"
        )
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path


def remove_stale(
    directory: Path, *, keep: int = KEEP_ENDED, max_age_s: float = 86_400
) -> int:
    """Delete ended rings beyond the `keep` newest, or too old; count them.

    Ended is a ring whose process is gone, or whose recording is.
    """
    ended: list[tuple[float, Path]] = []
    with suppress(OSError):
        for path in directory.glob("*"):
            if path.suffix not in (SUFFIX, UNREADY_SUFFIX):
                continue
            with suppress(OSError):
                if _has_ended(path):
                    ended.append((path.stat().st_mtime, path))
    ended.sort(reverse=True)
    oldest = time.time() - max_age_s
    removed = 0
    for index, (modified, path) in enumerate(ended):
        if index >= keep or modified < oldest:
            with suppress(OSError):
                path.unlink()
                path.with_suffix(DUMP_SUFFIX).unlink(missing_ok=True)
                removed += 1
    return removed


def _has_ended(path: Path) -> bool:
    pid = path.name.partition("-")[0]
    if not (pid.isascii() and pid.isdigit()):
        return False
    if process_began(int(pid)) is None:
        return True
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        state = os.pread(descriptor, 8, CELLS_AT)
    finally:
        os.close(descriptor)
    return int.from_bytes(state, "little") in (RingState.STOPPED, RingState.FAILED)
