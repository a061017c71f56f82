"""Whatever a ring holds, reading it ends and raises nothing but a sentence.

Short here; `LOOPSCOPE_FUZZ=100000 python -m pytest tests/ring/test_fuzz.py` goes on for longer.
"""

from __future__ import annotations

import os
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tapes import Tape

from dashboard.errors import RingError
from dashboard.records import LAP_SHIFT, RECORD, RECORD_BYTES, Cell, Kind
from dashboard.ring import RingReader
from dashboard.ring.layout import CELLS_AT, RECORDS_AT, STRINGS_AT
from dashboard.ring.reader import HOLE_PATIENCE_NS

CAPACITY = 32
fuzz = settings(
    max_examples=int(os.environ.get("LOOPSCOPE_FUZZ", "100")),
    deadline=None,
    database=None,
    # Of the fixture the path alone is used; each example brings its own bytes.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
INT64 = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(0, 40)
#: Records that are well formed, whatever they say, beside bytes that are none.
RECORDS = st.tuples(
    st.one_of(SMALL, INT64),
    st.one_of(SMALL, INT64),
    st.one_of(SMALL, st.integers(0, 2**32 - 1)),
    st.one_of(SMALL, st.integers(0, 2**32 - 1)),
    st.sampled_from(list(Kind)),
)


def read_all(path, *, rounds=4):
    """Read as the dashboard does; return what came, and what was missed."""
    reader = RingReader(path)
    try:
        reader.begin_at_oldest()
        data, now_ns = b"", 0
        for _ in range(rounds):
            cells = reader.read_cells()
            reader.read_strings(cells[Cell.STRINGS])
            # More reads than slots: each one takes something, or gives up.
            for _ in range(3 * CAPACITY):
                data += reader.read(now_ns)
            now_ns += HOLE_PATIENCE_NS
        return data, reader.missed, reader.strings
    finally:
        reader.close()


@fuzz
@given(
    written=st.integers(0, 3 * CAPACITY),
    damage=st.lists(
        st.tuples(
            st.integers(CELLS_AT, RECORDS_AT + CAPACITY * RECORD_BYTES),
            st.binary(min_size=1, max_size=200),
        ),
        max_size=6,
    ),
)
def test_any_damage(pair, written, damage):
    """Behind its header a ring may hold anything: reading it ends, within the ring."""
    ring = pair(CAPACITY)
    ring.write(written)
    with ring.path.open("r+b") as file:
        size = RECORDS_AT + CAPACITY * RECORD_BYTES
        for at, data in damage:
            file.seek(at)
            file.write(data[: size - at])
    data, missed, strings = read_all(ring.path)
    ring.path.unlink()

    assert len(data) % RECORD_BYTES == 0
    assert missed >= 0
    assert all(isinstance(text, str) for text in strings)


@fuzz
@given(
    head=st.binary(max_size=400),
    at=st.integers(0, 400),
    size=st.one_of(st.none(), st.integers(0, STRINGS_AT + 1000)),
)
def test_any_header(pair, head, at, size):
    """Whatever the header says, the file is read or refused with a sentence."""
    ring = pair(CAPACITY)
    ring.write(5)
    with ring.path.open("r+b") as file:
        file.seek(at)
        file.write(head)
        if size is not None:
            file.truncate(size)
    # Refused it is with a sentence; anything else that is raised is a mistake.
    with suppress(RingError):
        read_all(ring.path, rounds=1)
    ring.path.unlink()


@fuzz
@given(records=st.lists(RECORDS, max_size=30), strings=st.lists(st.text(), max_size=5))
def test_any_records(records, strings):
    """Records that are well formed and make no sense leave the model standing."""
    tape = Tape()
    tape.model.names.strings = ["", *strings]
    data = b"".join(
        RECORD.pack(t, u, a, b, (1 << LAP_SHIFT) + kind) for t, u, a, b, kind in records
    )
    tape.model.feed(data)

    tape.journal.snapshot()
