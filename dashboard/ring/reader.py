"""The dashboard's end of a ring: follows the writer and counts what it missed."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from typing import TYPE_CHECKING

from dashboard.errors import RingDamaged
from dashboard.records import LAP_SHIFT, RECORD_BYTES, Cell, Kind
from dashboard.ring.layout import CELLS_AT, STRINGS_AT, read_header

if TYPE_CHECKING:
    from pathlib import Path

#: A slot may be reserved but not yet written: its thread lost the interpreter's
#: lock in between. Switches take 5 ms; after this we call the record lost.
HOLE_PATIENCE_NS = 200_000_000
#: Records per read: small enough to poll for nothing 30 times a second, large
#: enough that the calls around it do not count.
READ_CHUNK = 4096
PEEK = 64
_LAST_KIND = max(Kind)


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
            header = read_header(self._fd, path)
        except BaseException:
            os.close(self._fd)
            raise
        self.identity, self._records_at, self._strings_bytes, self.capacity = header

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
            if not length or at + 2 + length > len(data):
                # Nobody writes an empty one: the cell said more than there is.
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
