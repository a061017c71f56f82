"""Show a few lines of a program's source around the one that is to blame.

The path comes from an observed program: only Python files are opened, only as much
as is needed is read, and whatever goes wrong means that there is nothing to show.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboard.server.reading.names import Place

AROUND = 4
MAX_FILE_BYTES = 2 << 20
MAX_LINE = 300
SUFFIXES = (".py", ".pyw")


def read_excerpt(place: Place, *, began_unix_ns: int) -> dict[str, object] | None:
    """Return the lines around a place as `{file, line, code, changed}`, or None.

    `line` is the number of the first line of `code`; `changed` says that the file is
    younger than the process, so that the lines may be others than those that run.
    """
    source = read_lines(place)
    if source is None:
        return None
    lines, changed_ns = source
    first = max(1, place.line - AROUND)
    shown = [line[:MAX_LINE] for line in lines[first - 1 : place.line + AROUND]]
    return {
        "file": place.file,
        "line": first,
        "code": "\n".join(shown),
        "changed": changed_ns > began_unix_ns,
    }


def lines_of(place: Place) -> list[str] | None:
    """Return the lines of a place's file; None for no code."""
    source = read_lines(place)
    return source[0] if source is not None else None


def read_lines(place: Place) -> tuple[list[str], int] | None:
    """Return the lines of a place's file, and when it was changed; None for no code."""
    if not place.file.endswith(SUFFIXES) or place.line < 1:
        return None
    try:
        # Not blocking: a pipe of that name would wait for its writer.
        file = os.open(place.file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
            return None
        with os.fdopen(os.dup(file), "rb") as source:
            text = source.read(MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(file)
    lines = text.splitlines()
    return (lines, found.st_mtime_ns) if place.line <= len(lines) else None
