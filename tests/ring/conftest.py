"""A writer and a reader of one ring."""

from __future__ import annotations

import pytest

from dashboard.records import (
    RECORD,
    RECORD_BYTES,
    Kind,
)
from dashboard.ring import (
    RingReader,
    create_ring,
)
from dashboard.ring.layout import RECORDS_AT
from dashboard.ring.reader import READ_CHUNK

POLL = int(Kind.POLL)


class Pair:
    """A writer and a reader of the same ring; a record is its number in `t`."""

    def __init__(self, folder, capacity):
        self.capacity = capacity
        self.writer = create_ring(
            kind="asyncio",
            title="a loop",
            loop_no=1,
            directory=folder,
            records_bytes=capacity * RECORD_BYTES,
        )
        self.path = self.writer.path
        self.reader = RingReader(self.path)
        self.written = 0

    def write(self, count=1):
        """Write the next records."""
        for _ in range(count):
            self.writer.write(POLL, self.written, 0, 0, 0)
            self.written += 1

    def read(self, now_ns=0, limit=READ_CHUNK):
        """Read once; give the numbers of the records."""
        data = self.reader.read(now_ns, limit)
        return [record[0] for record in RECORD.iter_unpack(data)]

    def read_all(self, now_ns=0):
        """Read until nothing is new and nothing more is given up."""
        numbers, before = [], None
        while before != (before := (len(numbers), self.reader.missed)):
            numbers += self.read(now_ns)
        return numbers

    def put(self, slot, data):
        """Overwrite the bytes of some slots, as damage or another thread would."""
        at = RECORDS_AT + slot * RECORD_BYTES
        self.writer.buffer[at : at + len(data)] = data

    def account(self):
        """Say what became of the records, as the reader tells it."""
        return repr(self.reader).partition(", ")[2]


@pytest.fixture
def pair(tmp_path):
    """Make pairs of writer and reader that are closed afterwards."""
    made = []

    def make(capacity=8):
        made.append(Pair(tmp_path / "rings", capacity))
        return made[-1]

    yield make
    for each in made:
        each.reader.close()
