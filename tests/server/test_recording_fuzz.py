"""Whatever a file holds, opening it ends, with a session or one sentence.

Short here; for some ten minutes: `LOOPSCOPE_FUZZ=5000 python -m pytest --timeout 0
-o faulthandler_timeout=0 tests/server/test_recording_fuzz.py`.
"""

from __future__ import annotations

import io
import os
import typing
import zlib
from contextlib import suppress
from itertools import starmap
from pathlib import Path
from tempfile import NamedTemporaryFile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.errors import RecordingError
from dashboard.records import RECORD, Cell, Kind
from dashboard.server.model import tape
from dashboard.server.model.journal import Change
from dashboard.server.model.lanes import Lane, Row
from dashboard.server.recordings import recording
from dashboard.server.recordings.drawn import Drawing
from dashboard.server.recordings.opening import begin_recording, read_recording
from dashboard.server.streaming import wire

fuzz = settings(
    max_examples=int(os.environ.get("LOOPSCOPE_FUZZ", "60")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SMALL = st.integers(0, 12)
TIME = st.integers(1_000, 1_000_000)
ANY = st.integers(-(2**63), 2**63 - 1)
TEXT = st.one_of(
    st.sampled_from(["", "buy", "<b>x", "sleep\x1f/srv/a.py\x1f7\x1fbuy"]),
    st.text(max_size=20),
)
NUMBER = st.one_of(SMALL, TIME, ANY)
RECORDS = st.lists(
    st.tuples(
        st.one_of(TIME, TIME, TIME, ANY),
        st.one_of(TIME, SMALL, ANY),
        st.one_of(SMALL, st.integers(0, 2**32 - 1)),
        st.one_of(SMALL, st.integers(0, 2**32 - 1)),
        st.sampled_from([int(kind) + 256 for kind in Kind]),
    ),
    max_size=30,
).map(lambda rows: b"".join(RECORD.pack(*row) for row in rows))
OF_TYPE = {
    int: NUMBER,
    str: TEXT,
    bytes: RECORDS,
    tuple[int, ...]: st.lists(NUMBER, max_size=len(Cell) + 2).map(tuple),
    tuple[str, ...]: st.lists(TEXT, max_size=6).map(tuple),
    tuple[float, ...]: st.lists(st.floats(width=64), max_size=4).map(tuple),
}


def entries_of(kind):
    """Return entries of a kind: mostly of loop 1, at times that can be."""
    fields = {name: OF_TYPE[hint] for name, hint in typing.get_type_hints(kind).items()}
    if "loop" in fields:
        fields["loop"] = st.sampled_from([1, 1, 1, 2, 3])
    if "t" in fields:
        fields["t"] = st.one_of(TIME, TIME, TIME, NUMBER)
    return st.builds(kind, **fields)


ENTRIES = st.lists(st.one_of(*map(entries_of, recording.KINDS)), max_size=25)
LOOP = tape.Loop(1, 0, 7, 1, 1_000, 5, 0, "asyncio", "3.11.7", "shop")
STRINGS = tape.Strings(1, ("buy", "sleep\x1f/srv/a.py\x1f7\x1fbuy", "GET\x1f/"))
HEAD = recording.write_head(recording.new_head(1, 1))


def open_it(data):
    """Open bytes as a page would show them; say whether they were a recording."""
    try:
        opened = read_recording(io.BytesIO(data), "it")
    except RecordingError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
    assert len(said) < 600
    if said:
        return False
    session, to_ns = opened.session, opened.past.to_ns
    wire.encode(wire.describe_state(session, to_ns))
    wire.encode(wire.describe_snapshot(session, to_ns, 1, []))
    for stall in session.stalls.kept:
        wire.encode(stall.describe())
    return True


@fuzz
@given(st.lists(ENTRIES, min_size=1, max_size=3))
def test_any_tape(chunks):
    """Entries that are well formed may say anything, in any order."""
    data = HEAD
    for number, entries in enumerate(chunks):
        told = [LOOP, STRINGS, *entries] if not number else entries
        data += recording.write_chunk(told, first_ns=1_000, last_ns=1_000_000)
    open_it(data)


@fuzz
@given(
    st.lists(ENTRIES, min_size=1, max_size=2),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(max_size=30)), max_size=4),
    st.booleans(),
)
def test_any_damage(chunks, damage, is_inside):
    """Bytes of a recording may be others, in its chunks or around them, and missing."""
    bodies = [
        recording.write_chunk([LOOP, *entries], first_ns=1_000, last_ns=1_000_000)
        for entries in chunks
    ]
    if is_inside:
        # Behind the check sum, which a liar would get right.
        raw = bytearray(zlib.decompress(bodies[0][recording.CHUNK.size :]))
        for at, piece in damage:
            raw[at % (len(raw) + 1) : at % (len(raw) + 1) + len(piece)] = piece
        body = zlib.compress(bytes(raw))
        check = zlib.crc32(body)
        head = (b"CHNK", len(body), len(raw), check, 1_000, 1_000_000)
        data = HEAD + recording.CHUNK.pack(*head) + body
    else:
        whole = bytearray(HEAD + b"".join(bodies))
        for at, piece in damage:
            whole[at % len(whole) : at % len(whole) + len(piece)] = piece
        data = bytes(whole[: damage[0][0]] if damage else whole)
    open_it(data)


@fuzz
@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda rows, lanes, t: pictured(rows, lanes, t),
            st.lists(st.tuples(TIME, SMALL, st.integers(0, 12), SMALL, SMALL)),
            st.lists(
                st.tuples(SMALL, st.integers(0, 7), SMALL, SMALL, SMALL, TIME, SMALL)
            ),
            TIME,
        ),
    )
)
def test_any_picture(raw):
    """A picture may draw anything: it is drawn, or a sentence says why not."""
    drawn = recording.write_drawn(raw, first_ns=1_000, last_ns=1_000_000)
    told = recording.write_chunk([LOOP], first_ns=1_000, last_ns=1_000_000)
    with NamedTemporaryFile() as file:
        file.write(HEAD + drawn + told)
        file.flush()
        opened = begin_recording(Path(file.name))
        with suppress(RecordingError):
            for piece in opened.pictures:
                wire.encode(wire.describe_frame(opened.session, 1, 1, [], piece))
        assert len(list(opened.rest)) == 1


def pictured(rows, lanes, t):
    """Return the bytes of a picture of these."""
    drawing = Drawing()
    drawing.add(t, Change([""], list(starmap(Lane, lanes)), list(starmap(Row, rows))))
    return drawing.write()


@fuzz
@given(st.binary(max_size=300))
def test_any_bytes(data):
    """Nor need it be a recording at all."""
    assert not open_it(data) or data.startswith(recording.MAGIC)
    open_it(HEAD + data)
