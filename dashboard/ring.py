"""One ring file per observed loop: its layout, a writer side and a reader side.

The writer maps the file and never waits, never looks back and never learns who
reads. The reader only ever uses `pread`: a file that shrinks under a mapping
kills the process that touches it, a short read does not.

```text
0        identity (HEADER): magic, version, sizes, pid, clocks, names
2048     cells: live numbers, one int64 each (records.Cell)
4096     string table: uint16 length + UTF-8, append only
4096+S   records: `capacity` slots of 32 bytes
```
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import struct
import sys
import tempfile
import threading
import time
from array import array
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dashboard.errors import RingDamaged, RingError, RingFormatError
from dashboard.records import (
    FORMAT_VERSION,
    LAP_SHIFT,
    RECORD,
    RECORD_BYTES,
    Cell,
    Kind,
    RingState,
)

MAGIC = b"LOOPSCOP"
HEADER = struct.Struct("<8sIIIIQIIqqQ16s16s128s")
CELLS_AT = 2048
STRINGS_AT = 4096
DEFAULT_RECORDS_BYTES = 8 << 20
#: A string per await site, route and function of a large app fits several times.
STRINGS_BYTES = 256 << 10
MAX_STRING_BYTES = 1024
SUFFIX = ".ring"
#: A ring whose header is not written yet.
UNREADY_SUFFIX = ".unready"
#: Stacks that the loop's thread wrote on demand (recorder/dump.py), beside its ring.
DUMP_SUFFIX = ".dump"
LAP = 1 << LAP_SHIFT
#: A slot may be reserved but not yet written: its thread lost the interpreter's
#: lock in between. Switches take 5 ms; after this we call the record lost.
HOLE_PATIENCE_NS = 200_000_000
#: Records per read: small enough to poll for nothing 30 times a second, large
#: enough that the calls around it do not count.
READ_CHUNK = 4096
#: Rings that are kept after their end. A container's /dev/shm has 64 MB by default,
#: and the living need room, too.
KEEP_ENDED = 3
#: A header that asks for more than this (64 MiB of records) is not one of ours.
MAX_CAPACITY = 1 << 21
PEEK = 64
_LAST_KIND = max(Kind)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who wrote a ring: everything about it that never changes."""

    pid: int
    loop_no: int
    """Number of the loop within its process, from 1."""
    began_ns: int
    """Monotonic clock when recording began."""
    began_unix_ns: int
    """Wall clock at the same moment."""
    pid_began: int
    """The process's start time in clock ticks since boot, against reused pids;
    0 where the system does not tell."""
    kind: str
    """`asyncio` or `uvloop`."""
    python: str
    title: str


# --------------------------------------------------------------------- folders


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


def process_began(pid: int) -> int | None:
    """Return when `pid` started (clock ticks since boot), or None if it is gone.

    0 means: it exists, but this system does not tell since when.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except OSError:
            return 0
        return 0 if not os.path.isdir("/proc/self") else None
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


# ---------------------------------------------------------------------- writer


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
        "_records_at",
        "_strings_left",
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
        self._records_at = STRINGS_AT + STRINGS_BYTES
        size = self._records_at + capacity * RECORD_BYTES
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
        self._known: dict[str, int] = {}
        self._strings_left = STRINGS_BYTES
        HEADER.pack_into(
            self.buffer,
            0,
            MAGIC,
            FORMAT_VERSION,
            self._records_at,
            STRINGS_BYTES,
            RECORD_BYTES,
            capacity,
            identity.pid,
            identity.loop_no,
            identity.began_ns,
            identity.began_unix_ns,
            identity.pid_began,
            _cut(identity.kind, 16 - 1),
            _cut(identity.python, 16 - 1),
            _cut(identity.title, 128 - 1),
        )
        self.cells[Cell.STATE] = RingState.RECORDING
        unready.rename(path)

    def __repr__(self) -> str:
        return f"<RingWriter {self.path.name}, lap {self.tags[0] >> LAP_SHIFT}>"

    def _offsets(self) -> range:
        end = self._records_at + self._capacity * RECORD_BYTES
        return range(self._records_at, end, RECORD_BYTES)

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
        data = _cut(text, MAX_STRING_BYTES)
        # One appender at a time; the loser's string stays unnamed this once.
        if not self._wrapping.acquire(blocking=False):
            return 0
        try:
            if text in self._known:
                return self._known[text]
            used = self.cells[Cell.STRINGS]
            if used + 2 + len(data) > STRINGS_BYTES:
                return 0
            at = STRINGS_AT + used
            self.buffer[at : at + 2 + len(data)] = (
                len(data).to_bytes(2, "little") + data
            )
            index = len(self._known) + 1
            # Told before it is known: another thread may use it in a record at once.
            self.cells[Cell.STRINGS] = used + 2 + len(data)
            self._known[text] = index
            return index
        finally:
            self._wrapping.release()

    def close(self, state: RingState) -> None:
        """Say in the header how it ended. The file stays, the mapping as long as we do."""
        self.cells[Cell.OWNER] = 0
        self.cells[Cell.STATE] = state


def _cut(text: str, size_bytes: int) -> bytes:
    """Return at most `size_bytes` of `text`, without cutting a character in half."""
    data = text.encode("utf-8", "replace")[:size_bytes]
    return data.decode(errors="ignore").encode()


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


# ---------------------------------------------------------------------- reader


class RingReader:
    """The dashboard's end: follows one ring and counts what it missed.

    `read` returns whole, committed records in the order of their slots. `missed`
    counts records that were overwritten before they were read, `damaged` those
    whose bytes make no sense (they are among the missed, which the page shows).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.missed = 0
        self.damaged = 0
        self.strings: list[str] = [""]
        self._strings_used = 0
        self._next = 0
        self._hole_since: int | None = None
        try:
            # Not blocking: to open a pipe of that name would wait for its writer.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            self._fd = os.open(path, flags)
        except OSError as error:
            raise RingDamaged(
                f"{path.name} cannot be opened ({error.strerror}); it is left out"
            ) from error
        try:
            self.identity, self._records_at, self._strings_bytes, self.capacity = (
                _read_identity(self._fd, path)
            )
        except BaseException:
            os.close(self._fd)
            raise

    def __repr__(self) -> str:
        return (
            f"<RingReader {self.path.name}, {self._next} read, "
            f"{self.missed} missed, {self.damaged} damaged>"
        )

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read_cells(self) -> dict[Cell, int]:
        """Return the header's live numbers; missing ones (a truncated file) are 0."""
        data = os.pread(self._fd, 8 * len(Cell), CELLS_AT)
        values = array("q", data[: len(data) // 8 * 8])
        return {cell: values[cell] if cell < len(values) else 0 for cell in Cell}

    def read_strings(self, used: int) -> None:
        """Take in what was added to the string table up to byte `used`."""
        used = min(used, self._strings_bytes)
        if used <= self._strings_used:
            return
        start = self._strings_used
        data = os.pread(self._fd, used - start, STRINGS_AT + start)
        at = 0
        while at + 2 <= len(data):
            length = int.from_bytes(data[at : at + 2], "little")
            if at + 2 + length > len(data):
                break
            text = data[at + 2 : at + 2 + length].decode("utf-8", "replace")
            self.strings.append(text)
            at += 2 + length
        self._strings_used = start + at

    def begin_at_oldest(self) -> bool:
        """Begin with what is still there; whatever was before is nobody's loss.

        For a reader that comes when the ring has been round: then returns True.
        """
        tag = int.from_bytes(self._pread(0, 1)[-8:], "little")
        if tag >> LAP_SHIFT <= 1 or not self._skip_to_oldest():
            return False
        self.missed = 0
        return True

    def read(self, now_ns: int, limit: int = READ_CHUNK) -> bytes:
        """Return up to `limit` new records, as bytes for `RECORD.iter_unpack`.

        Empty when there is nothing new. `now_ns` is only used to decide when a
        reserved slot that nobody fills is given up.
        """
        slot = self._next % self.capacity
        count = min(limit, self.capacity - slot)
        # Mostly there is nothing new, or a few records: look before reading much.
        first = self._pread(slot, min(count, PEEK))
        if len(first) == PEEK * RECORD_BYTES and self._is_good(first[-8:]):
            first = self._pread(slot, count)
        if not first:
            return b""
        tags = memoryview(first).cast("Q")[3::4]
        expected = self._next // self.capacity + 1
        good = self._count_good(tags, expected)
        if good == 0:
            return self._recover(tags, expected, now_ns)
        # Read again: bytes that changed meanwhile belong to a lap that is
        # overtaking us, so what was copied of them is not one record.
        if self._pread(slot, good) != first[: good * RECORD_BYTES]:
            good = self._count_equal(slot, first, good)
            if good == 0:
                return self._recover(memoryview(b"").cast("Q"), expected, now_ns)
        self._next += good
        self._hole_since = None
        return first[: good * RECORD_BYTES]

    def _pread(self, slot: int, count: int) -> bytes:
        at = self._records_at + slot * RECORD_BYTES
        data = os.pread(self._fd, count * RECORD_BYTES, at)
        return data[: len(data) // RECORD_BYTES * RECORD_BYTES]

    def _is_good(self, tag: bytes) -> bool:
        expected = self._next // self.capacity + 1
        return int.from_bytes(tag, "little") >> LAP_SHIFT == expected

    def _count_good(self, tags: memoryview, expected: int) -> int:
        base = expected << LAP_SHIFT
        last = base + _LAST_KIND
        if min(tags) > base and max(tags) <= last:
            return len(tags)
        for index, tag in enumerate(tags):
            if not base < tag <= last:
                return index
        return len(tags)

    def _count_equal(self, slot: int, first: bytes, count: int) -> int:
        again = self._pread(slot, count)
        for index in range(min(count, len(again) // RECORD_BYTES)):
            at = index * RECORD_BYTES
            if first[at : at + RECORD_BYTES] != again[at : at + RECORD_BYTES]:
                return index
        return min(count, len(again) // RECORD_BYTES)

    def _recover(self, tags: memoryview, expected: int, now_ns: int) -> bytes:
        """Decide what a slot that is not the expected record means."""
        found = tags[0] >> LAP_SHIFT if len(tags) else expected + 1
        # A lap or two ahead is a writer that overtook us; more is no lap at all.
        if expected < found <= expected + self._laps_possible():
            if self._skip_to_oldest() or not len(tags):
                return b""
        garbage = tags[0] != 0 and found != expected - 1
        ahead = self._find_ahead(thorough=garbage)
        if not ahead:
            self._hole_since = None
            return b""
        # Something newer stands behind it: the slot is late, or damaged.
        if self._hole_since is None:
            self._hole_since = now_ns
        if not garbage and now_ns - self._hole_since < HOLE_PATIENCE_NS:
            return b""
        self._hole_since = None
        if garbage:
            self.damaged += ahead
        self.missed += ahead
        self._next += ahead
        return b""

    def _find_ahead(self, *, thorough: bool) -> int:
        """Return how far behind the expected slot the next record stands, or 0.

        Beyond the chunk that was read one slot of each is enough to see whether
        the writer has been there: this is asked whenever nothing is new.
        """
        position = self._next
        end = position + self.capacity
        while position < end:
            slot = position % self.capacity
            base = (position // self.capacity + 1) << LAP_SHIFT
            size = min(READ_CHUNK, self.capacity - slot)
            looked_at = size if thorough or position == self._next else 1
            tags = memoryview(self._pread(slot, looked_at)).cast("Q")[3::4]
            for index, tag in enumerate(tags):
                if base < tag <= base + _LAST_KIND:
                    return position + index - self._next
            position += size
        return 0

    def _laps_possible(self) -> int:
        # Ten million records a second is beyond any Python process; per second
        # of a reader's absence that bounds how far a lap number can be ahead.
        return 1 + 3600 * 10_000_000 // self.capacity

    def _skip_to_oldest(self) -> bool:
        """Go to the oldest record that will still be there when it is read.

        Returns False where that is no way forward: nobody has overtaken us.
        """
        # An eighth of the ring is the start that we give ourselves.
        oldest = self._find_head() - self.capacity + self.capacity // 8
        if oldest <= self._next:
            return False
        self.missed += oldest - self._next
        self._next = oldest
        self._hole_since = None
        return True

    def _find_head(self) -> int:
        """Return how many records were written so far, as far as the slots tell.

        The writer leaves two laps, the newer one in front of the older one. Damaged
        slots say anything, so what counts is what most of them say.
        """
        limit = self._next // self.capacity + 1 + self._laps_possible()
        data = self._pread(0, self.capacity)
        tags = memoryview(data).cast("Q")[3::4].tolist()
        laps = [lap if (lap := tag >> LAP_SHIFT) <= limit else 0 for tag in tags]
        (usual, _), *_ = Counter(laps).most_common(1) or [(0, 0)]
        for newest in (usual + 1, usual):
            slots = [slot for slot, lap in enumerate(laps) if lap == newest]
            if newest and slots and 2 * len(slots) > slots[-1]:
                return (newest - 1) * self.capacity + slots[-1] + 1
        return self._next


def _read_identity(descriptor: int, path: Path) -> tuple[Identity, int, int, int]:
    try:
        data = os.pread(descriptor, HEADER.size, 0)
    except OSError as error:
        # A folder, a pipe.
        raise RingDamaged(
            f"{path.name} is not a ring ({error.strerror}); it is left out, delete it"
        ) from error
    if len(data) < HEADER.size or not data.startswith(MAGIC):
        raise RingDamaged(
            f"{path.name} is not a ring (it begins with {data[:8]!r}, "
            f"not {MAGIC!r}); it is left out, delete it"
        )
    fields = HEADER.unpack(data)
    if fields[1] != FORMAT_VERSION:
        raise RingFormatError(path.name, found=fields[1], known=FORMAT_VERSION)
    records_at, strings_bytes, record_bytes, capacity = fields[2:6]
    needed = records_at + capacity * record_bytes
    found = os.fstat(descriptor).st_size
    if (
        record_bytes != RECORD_BYTES
        or not 1 <= capacity <= MAX_CAPACITY
        or records_at != STRINGS_AT + strings_bytes
        or found < needed
    ):
        raise RingDamaged(
            f"{path.name} is damaged (it has {found} bytes, its header needs "
            f"{needed}); it is left out, delete it"
        )
    kind, python, title = (
        field.split(b"\0")[0].decode("utf-8", "replace") for field in fields[11:14]
    )
    pid, loop_no, began_ns, began_unix_ns, pid_began = fields[6:11]
    identity = Identity(
        pid, loop_no, began_ns, began_unix_ns, pid_began, kind, python, title
    )
    return identity, records_at, strings_bytes, capacity


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
