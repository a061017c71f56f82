"""Know the folders where this user's rings can be, and make one for a session.

A program and its watcher may disagree on where that is: one runs in a login session,
the other as a service or in a container's shell. So the reader looks in every place
that a writer may have chosen, and enters none that somebody else could write to.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.ring import SUFFIX, default_directory, private_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: A session's own folder lies among the user's rings, named for its process.
SESSION_PREFIX = "stage-"


def places_of_user(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Return every folder that `ring.default_directory` could give a program of ours.

    `LOOPSCOPE_DIR`, where it is set, is the only one.
    """
    named = environ.get("LOOPSCOPE_DIR")
    if named:
        return [Path(named)]
    user = os.getuid()
    bases = [
        environ.get("XDG_RUNTIME_DIR") or "",
        f"/run/user/{user}",
        "/dev/shm",
        tempfile.gettempdir(),
        "/tmp",
    ]
    return [Path(base) / f"loopscope-{user}" for base in dict.fromkeys(bases) if base]


def rings_of_user(places: Iterable[Path]) -> Callable[[], set[Path]]:
    """Return a function that finds every ring there, sessions' folders included."""
    known = list(places)

    def find() -> set[Path]:
        found: set[Path] = set()
        for place in known:
            if is_private(place):
                found |= _rings_in(place)
                for session in place.glob(f"{SESSION_PREFIX}*"):
                    if is_private(session):
                        found |= _rings_in(session)
        return found

    return find


def rings_in(folder: Path) -> Callable[[], set[Path]]:
    """Return a function that finds every ring of one folder; none while it is away."""
    return lambda: _rings_in(folder)


def is_private(path: Path) -> bool:
    """Say whether `path` is a folder that this user alone can write to: no link."""
    try:
        found = path.lstat()
    except OSError:
        return False
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return is_ours and not found.st_mode & 0o022


def is_of_user(ring: Path) -> bool:
    """Say whether a ring lies where only a program of this user can have written it.

    One from elsewhere may be anybody's, and tell of another machine's files.
    """
    try:
        found = ring.lstat()
        folder = ring.parent.resolve()
        places = [each.resolve() for each in places_of_user() if is_private(each)]
    except OSError:
        return False
    is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid()
    is_session = folder.name.startswith(SESSION_PREFIX) and is_private(folder)
    return is_ours and (folder in places or (is_session and folder.parent in places))


def make_session_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder that only this user can enter and that goes when we go.

    It lies among the rings of this user, so that what a killed dashboard left
    behind is found, and removed, by the next one.

    Raises:
        RingError: the folder for rings cannot be used.
    """
    base = private_directory(default_directory())
    for left in base.glob(f"{SESSION_PREFIX}*"):
        owner = left.name.removeprefix(SESSION_PREFIX).partition("-")[0]
        if owner.isdigit() and not _is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(
        prefix=f"{SESSION_PREFIX}{os.getpid()}-", dir=base, ignore_cleanup_errors=True
    )


def _rings_in(folder: Path) -> set[Path]:
    try:
        return set(folder.glob(f"*{SUFFIX}"))
    except OSError:
        return set()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
