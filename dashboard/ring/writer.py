"""The observed process's end of a ring: records are written, whoever reads."""

from __future__ import annotations

import errno
import mmap
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from dashboard.errors import RingError
from dashboard.records import (
    LAP_SHIFT,
    RECORD,
    RECORD_BYTES,
    Cell,
    RingState,
)
from dashboard.ring.folder import (
    SUFFIX,
    UNREADY_SUFFIX,
    default_directory,
    private_directory,
    remove_stale,
)
from dashboard.ring.layout import (
    CELLS_AT,
    RECORDS_AT,
    STRINGS_AT,
    STRINGS_BYTES,
    Identity,
    cut,
    write_header,
)
from dashboard.ring.process import process_began

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_RECORDS_BYTES = 8 << 20
MAX_STRING_BYTES = 1024
LAP = 1 << LAP_SHIFT


class RingWriter:
    """The observed process's end. Thread-safe under the interpreter's lock.

    `write` costs about 0.3 µs. The hottest hooks repeat its four lines in place
    instead of calling it (a call costs as much again): they look in `tags`, take an
    offset from `advance`, and `pack` into `buffer`.
    """

    __slots__ = (
        "__weakref__",
        "_capacity",
        "_known",
        "_strings_used",
        "_view",
        "_wrapping",
        "advance",
        "buffer",
        "cells",
        "pack",
        "path",
        "tags",
    )

    def __init__(self, path: Path, identity: Identity, *, records_bytes: int) -> None:
        capacity = max(1, records_bytes // RECORD_BYTES)
        self.path = path
        self._capacity = capacity
        size = RECORDS_AT + capacity * RECORD_BYTES
        # A reader that looks while the header is not there yet would call it damaged:
        # the ring gets its name when it is one.
        unready = path.with_suffix(UNREADY_SUFFIX)
        # Names nobody else can have prepared: never follow, never overwrite.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        descriptor = os.open(
            unready, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600
        )
        try:
            # Reserve every page now. Writing to a page that a full file system
            # cannot supply would kill the observed app with SIGBUS.
            _reserve(descriptor, size)
            self.buffer = mmap.mmap(descriptor, size)
        except BaseException:
            unready.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        self._view = memoryview(self.buffer)
        self.cells = self._view[CELLS_AT:STRINGS_AT].cast("q")
        self.pack = RECORD.pack_into
        self.tags = list(range(LAP, 2 * LAP))
        """By kind: what stands at the end of a record of this lap."""
        self.advance = iter(self._offsets()).__next__
        self._wrapping = threading.Lock()
        self._known: dict[str, int] = {"": 0}
        # Ours: where to write is not asked of a file that others can write to.
        self._strings_used = 0
        write_header(self.buffer, identity, capacity=capacity)
        self.cells[Cell.STATE] = RingState.RECORDING
        unready.rename(path)

    def __repr__(self) -> str:
        return f"<RingWriter {self.path.name}, lap {self.tags[0] >> LAP_SHIFT}>"

    def _offsets(self) -> range:
        end = RECORDS_AT + self._capacity * RECORD_BYTES
        return range(RECORDS_AT, end, RECORD_BYTES)

    @property
    def capacity(self) -> int:
        """How many records a lap has."""
        return self._capacity

    def written(self) -> int:
        """How many records were written so far. Not for hot paths."""
        left = self.advance.__self__.__length_hint__()  # type: ignore[attr-defined]
        lap: int = self.tags[0] >> LAP_SHIFT
        return lap * self._capacity - int(left)

    def write(self, kind: int, t: int, u: int, a: int, b: int) -> None:
        """Write one record. Never waits; raises only if the numbers do not fit."""
        # The lap first: if another thread wraps in between, this record lands in a
        # new slot under an old lap, and the reader sees a hole instead of a lie.
        tag = self.tags[kind]
        try:
            offset = self.advance()
        except StopIteration:
            offset = self.wrap()
            tag = self.tags[kind]
        if offset:
            self.pack(self.buffer, offset, t, u, a, b, tag)

    def wrap(self) -> int:
        """Begin the next lap and return its first free offset.

        Returns 0 (and counts a dropped record) when another thread is at it.
        """
        if not self._wrapping.acquire(blocking=False):
            self.cells[Cell.DROPPED] += 1
            return 0
        try:
            try:
                return self.advance()
            except StopIteration:
                # All at once: the hooks have the list itself at hand.
                self.tags[:] = [tag + LAP for tag in self.tags]
                advance = iter(self._offsets()).__next__
                offset = advance()
                self.advance = advance
                return offset
        finally:
            self._wrapping.release()

    def intern(self, text: str) -> int:
        """Return the index of `text` in the string table, adding it if there is room.

        A full table gives 0, "no string", for everything that is new.
        """
        index = self._known.get(text)
        if index is None:
            index = self._append(text)
        return index

    def _append(self, text: str) -> int:
        data = cut(text, MAX_STRING_BYTES)
        # One appender at a time; the loser's string stays unnamed this once.
        if not self._wrapping.acquire(blocking=False):
            return 0
        try:
            if text in self._known:
                return self._known[text]
            used = self._strings_used
            if used + 2 + len(data) > STRINGS_BYTES:
                return 0
            at = STRINGS_AT + used
            self.buffer[at : at + 2 + len(data)] = (
                len(data).to_bytes(2, "little") + data
            )
            index = len(self._known)
            # Told before it is known: another thread may use it in a record at once.
            self._strings_used = self.cells[Cell.STRINGS] = used + 2 + len(data)
            self._known[text] = index
            return index
        finally:
            self._wrapping.release()

    def close(self, state: RingState) -> None:
        """Say in the header how it ended. The file stays, the mapping as long as we do."""
        self.cells[Cell.OWNER] = 0
        self.cells[Cell.STATE] = state


def create_ring(
    *,
    kind: str,
    title: str,
    loop_no: int,
    directory: Path | None = None,
    records_bytes: int = DEFAULT_RECORDS_BYTES,
) -> RingWriter:
    """Create a ring for a loop of this process, in a private folder."""
    folder = private_directory(directory or default_directory())
    pid = os.getpid()
    identity = Identity(
        pid=pid,
        loop_no=loop_no,
        began_ns=time.monotonic_ns(),
        began_unix_ns=time.time_ns(),
        pid_began=process_began(pid) or 0,
        kind=kind,
        python=".".join(map(str, sys.version_info[:3])),
        title=title,
    )
    # The moment makes the name unique even when the system reuses the pid.
    path = folder / f"{pid}-{loop_no}-{identity.began_ns}{SUFFIX}"
    remove_stale(folder)
    try:
        try:
            return RingWriter(path, identity, records_bytes=records_bytes)
        except OSError:
            # Most likely full of rings that nobody needs as much as we need ours.
            remove_stale(folder, keep=0)
            return RingWriter(path, identity, records_bytes=records_bytes)
    except OSError as error:
        raise RingError(
            f"cannot create a ring in {str(folder)!r} ({error.strerror}); "
            "free some space, or set LOOPSCOPE_DIR to another folder"
        ) from error


def _reserve(descriptor: int, size: int) -> None:
    """Give every page of the file its place now."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    # macOS has no such call; zeros that are really written reserve as well.
    zeros = bytes(1 << 20)
    for at in range(0, size, len(zeros)):
        os.pwrite(descriptor, zeros[: size - at], at)
