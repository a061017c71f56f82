"""Open a file: a recording, or the ring that a process has left behind.

What comes out is a session like a live one, made by the same model, whose clock stands
still at the end. Whatever is wrong with the file is one sentence; nothing that it says
is run. No other file is read because of it, but the code that a ring names if it lies
in this user's own folder of rings: then a program of this user on this machine wrote it.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from dashboard import __version__
from dashboard.errors import (
    DashboardError,
    RecordingDamaged,
    RecordingError,
    RecordingTooLarge,
)
from dashboard.records import RECORD_BYTES, Cell, RingState
from dashboard.ring import RingReader, is_alive
from dashboard.ring.layout import MAGIC as RING_MAGIC
from dashboard.server.diagnosis.excerpt import lines_of
from dashboard.server.diagnosis.remedies import remedy_at
from dashboard.server.model import tape
from dashboard.server.model.journal import KEEP_TEXT, Journal
from dashboard.server.reading.folders import is_of_user
from dashboard.server.recordings.columns import moments, span_of
from dashboard.server.recordings.drawn import ROW_BYTES, check_drawn, read_drawn
from dashboard.server.recordings.player import Player, Remedies
from dashboard.server.recordings.recording import (
    HEADER,
    read_chunks,
    read_head,
    read_parts,
)
from dashboard.server.session import Past, Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from io import BufferedReader
    from pathlib import Path

    from dashboard.server.diagnosis.remedies import Remedy
    from dashboard.server.model.stall import Line
    from dashboard.server.model.tape import Source
    from dashboard.server.reading.names import Place
    from dashboard.server.recordings.drawn import Drawn
    from dashboard.server.recordings.recording import Chunk, Head, Part

#: As much as the page holds of a recording (ARCHITECTURE.md, "Bounds").
KEEP_NS = 3600 * 1_000_000_000
KEEP_ROWS = 2_000_000
#: Of pictures, with each row's share of lanes and strings; and two hours of them.
MAX_PICTURE_BYTES = 2 * ROW_BYTES * KEEP_ROWS
MAX_PICTURES = 3_600
#: Of all of them: strings, and numbers of lanes and deadlines.
MAX_PICTURE_VALUES = 4_000_000
MAX_FILE_BYTES = 1 << 30
#: What a chunk's first and last moment leave to what it tells: a task may wait long,
#: but its record is written when something happens.
SLACK_NS = 3600 * 1_000_000_000
MAX_LENGTH_NS = 30 * 86_400 * 1_000_000_000
#: Of a ring nobody has told when frames were made: as a dashboard would have.
FRAME_NS = 33_000_000
SLICE = 512
LOOK_NS = 250_000_000
#: Looks at a ring's end before it is believed: one sees a hole, one gives it up.
PATIENCE = 3


@dataclass(slots=True)
class Opened:
    """What was in a file, or is known of it so far."""

    session: Session
    past: Past
    rows: int = 0
    """As the wire has them: some only put a span right."""
    records: int = 0
    sources: dict[tuple[str, int], Source] | None = field(default=None, repr=False)
    """The code that came with it; None: this user's ring, look at the files themselves."""
    pictures: Iterator[Drawn] | None = field(default=None, repr=False)
    """Not None: the session has nothing yet, and this is to be drawn meanwhile."""
    rest: Iterator[float] | None = field(default=None, repr=False)
    """With pictures: makes the session, a bit at a time, and says how far it is (0 to
    1). At its end all that stands above is as if there had been no picture."""


def open_recording(path: Path) -> Opened:
    """Make a session of a recording or a ring.

    Raises:
        RecordingError: it is neither, damaged, or of another format.
    """
    with _open(path) as file:
        if file.peek(len(RING_MAGIC)).startswith(RING_MAGIC):
            return _open_ring(path)
        return read_recording(file, path.name)


def begin_recording(path: Path) -> Opened:
    """Open a file so far that it can be drawn, if it has its picture; else all of it.

    Raises:
        RecordingError: as `open_recording`.
    """
    with ExitStack() as stack:
        file = stack.enter_context(_open(path))
        if not file.peek(len(RING_MAGIC)).startswith(RING_MAGIC):
            with _in_a_sentence(path.name):
                opened = _find_pictures(file, path.name)
            if opened is not None:
                # It is read on, and closed then.
                stack.pop_all()
                return opened
    return open_recording(path)


def read_recording(file: BinaryIO, name: str) -> Opened:
    """Make a session of a recording's bytes.

    Raises:
        RecordingError: as `open_recording`.
    """
    with _in_a_sentence(name):
        head = read_head(file)
        opened = Opened(Session(origin_ns=head.origin_ns), Past(name, 0, 0, 0))
        for _ in _play(opened, head, read_chunks(file)):
            pass
    return opened


@contextmanager
def _in_a_sentence(name: str) -> Iterator[None]:
    try:
        yield
    except RecordingError as error:
        raise type(error)(f"{name} cannot be opened: {error}") from None
    except Exception as error:  # noqa: BLE001 - the model was not made for lies
        raise RecordingDamaged(
            f"{name} cannot be opened: what it tells cannot have happened ({error!r})"
        ) from None


def _open(path: Path) -> BufferedReader:
    try:
        # Not blocking: to open a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        file = os.fdopen(descriptor, "rb")
    except OSError as error:
        raise RecordingError(
            f"{path.name} cannot be opened ({error.strerror}); "
            "name a recording, or a ring that a process has left"
        ) from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
        file.close()
        raise RecordingError(
            f"{path.name} is no file, or has more than {MAX_FILE_BYTES >> 20} MB; "
            "name a recording, or a ring that a process has left"
        )
    return file


def _find_pictures(file: BinaryIO, name: str) -> Opened | None:
    """Return a recording of which nothing is known but its pictures, if it has any."""
    head = read_head(file)
    if head.release != __version__:
        # Another release's model may number lanes and requests in another way.
        return None
    pictures: list[Part] = []
    waiting: list[Part] = []
    first_ns = last_ns = chunks = 0
    try:
        for part in read_parts(file):
            if part.is_drawn:
                waiting.append(part)
                continue
            # A picture counts with what it is of: not if the file ends between.
            pictures += waiting
            waiting.clear()
            chunks += 1
            first_ns = first_ns or part.first_ns
            last_ns = max(last_ns, part.last_ns)
    except RecordingTooLarge:
        return None
    is_sane = 0 < first_ns <= last_ns <= first_ns + MAX_LENGTH_NS
    size_bytes = sum(part.raw_size for part in pictures)
    is_much = size_bytes > MAX_PICTURE_BYTES or len(pictures) > MAX_PICTURES
    if not pictures or not is_sane or is_much:
        return None
    file.seek(HEADER.size)
    past = Past(name, head.origin_unix_ns, first_ns, last_ns)
    opened = Opened(_nothing_of(past, head), past, pictures=_unpack(pictures, past))
    # It may still be written: no more is told than is drawn.
    opened.rest = _read_on(opened, head, file, chunks)
    return opened


def _nothing_of(past: Past, head: Head) -> Session:
    session = Session(origin_ns=head.origin_ns, journal=Journal(keep_ns=KEEP_NS))
    session.past = past
    return session


def _unpack(pictures: list[Part], past: Past) -> Iterator[Drawn]:
    open_ns: dict[int, int] = {}
    least_ns, most_ns = past.from_ns - SLACK_NS, past.to_ns + SLACK_NS
    rows = values = text = 0
    for part in pictures:
        drawn = read_drawn(part.unpack())
        check_drawn(drawn, open_ns, least_ns=least_ns, most_ns=most_ns)
        rows += len(drawn.rows.state)
        values += len(drawn.strings) + 7 * len(drawn.lanes) + 2 * len(drawn.deadlines)
        text += sum(map(len, drawn.strings))
        if rows > KEEP_ROWS or values > MAX_PICTURE_VALUES or text > KEEP_TEXT:
            raise RecordingTooLarge("it has more than is kept of what is drawn")
        yield drawn


def _read_on(
    opened: Opened, head: Head, file: BinaryIO, chunks: int
) -> Iterator[float]:
    """Make the session of so many chunks, which have only their picture so far."""
    try:
        with file, _in_a_sentence(opened.past.name):
            yield from _play(opened, head, islice(read_chunks(file), chunks))
    except RecordingError as error:
        opened.session.notices = [f"there is only its picture: {error}"]


def _play(opened: Opened, head: Head, chunks: Iterable[Chunk]) -> Iterator[float]:
    """Make the session of a recording, and say how far it is."""
    name = opened.past.name
    remedies = Remedies()
    session = Session(
        origin_ns=head.origin_ns,
        find_remedy=remedies.find,
        journal=Journal(keep_ns=KEEP_NS, keep_rows=KEEP_ROWS),
    )
    player = Player(session, remedies)
    first_ns = last_ns = 0
    try:
        for chunk in chunks:
            first_ns = first_ns or chunk.first_ns
            last_ns = max(last_ns, chunk.last_ns)
            _check_times(chunk, first_ns, last_ns)
            share = (last_ns - first_ns) / (opened.past.to_ns - first_ns or 1)
            for entry in chunk.entries:
                player.play(entry)
                yield share
    except RecordingTooLarge as error:
        if not player.now_ns:
            raise
        shown_s = (player.now_ns - first_ns) / 1e9
        what = "are shown" if opened.pictures is None else "are told, not only drawn"
        session.notices = [f"only the first {shown_s:,.1f} s {what}: {error}"]
    if not session.loops:
        raise RecordingDamaged("no loop is in it, at least not yet")
    to_ns = player.now_ns or last_ns
    past = Past(name, head.origin_unix_ns, first_ns, to_ns)
    player.finish(past)
    opened.session, opened.past, opened.sources = session, past, player.sources
    opened.rows, opened.records = player.rows, player.records


def _check_times(chunk: Chunk, first_ns: int, last_ns: int) -> None:
    """Refuse moments that no clock shows: the page would draw centuries."""
    least, most = chunk.first_ns - SLACK_NS, chunk.last_ns + SLACK_NS
    told: list[int] = []
    for entry in chunk.entries:
        if isinstance(entry, tape.Records):
            told += span_of(entry.data)
        elif isinstance(entry, tape.Tick | tape.Frame | tape.Look | tape.Sent):
            told.append(entry.t)
    if (
        not 0 < first_ns <= last_ns <= first_ns + MAX_LENGTH_NS
        or chunk.last_ns < chunk.first_ns
        or (told and not least <= min(told) <= max(told) <= most)
    ):
        raise RecordingDamaged("it tells of moments outside of its own time")


def _open_ring(path: Path) -> Opened:
    """Read what a ring still has, as a dashboard would have followed it."""
    try:
        reader = RingReader(path)
    except DashboardError as error:
        raise RecordingError(str(error)) from None
    try:
        return _follow(reader, is_ours=is_of_user(path))
    except RecordingError:
        raise
    except Exception as error:  # noqa: BLE001 - it may be damaged in any way
        raise RecordingDamaged(
            f"{path.name} cannot be opened: what it tells cannot have happened "
            f"({error!r})"
        ) from None
    finally:
        reader.close()


def _follow(reader: RingReader, *, is_ours: bool) -> Opened:
    identity = reader.identity
    remedies = Remedies()
    session = Session(
        origin_ns=identity.began_ns,
        find_remedy=_look_up if is_ours else None,
        journal=Journal(keep_ns=KEEP_NS, keep_rows=KEEP_ROWS),
    )
    player = Player(session, remedies)
    loop = session.add_loop(identity)
    model = loop.model
    cells = reader.read_cells()
    reader.read_strings(cells[Cell.STRINGS])
    model.names.strings = reader.strings
    if reader.begin_at_oldest():
        loop.lose()
    before = cells | {Cell.STATE: RingState.RECORDING, Cell.OWNER: 0, Cell.SINCE: 0}
    page_ns = look_ns = first_ns = 0
    for data in _slices(reader):
        first_ns = first_ns or min(moments(data), default=0)
        loop.feed(data)
        player.records += len(data) // RECORD_BYTES
        now_ns = model.end_ns
        session.tick(loop, now_ns, before, alive=True)
        if now_ns - look_ns >= LOOK_NS:
            look_ns = now_ns
            session.look(now_ns, {})
        if now_ns - page_ns >= FRAME_NS:
            page_ns = now_ns
            player.turn_page(now_ns)
    # Its watchdog has beaten until its end, or until nobody got the interpreter.
    to_ns = max(model.end_ns, cells[Cell.BEAT], identity.began_ns)
    loop.missed = reader.missed + cells[Cell.DROPPED]
    session.tick(loop, to_ns, cells, alive=True)
    first_ns = first_ns or identity.began_ns
    if not 0 < first_ns <= to_ns <= first_ns + MAX_LENGTH_NS:
        raise RecordingDamaged(
            f"{reader.path.name} cannot be opened: "
            "it tells of moments outside of its own time"
        )
    is_gone = not is_alive(identity) and not loop.ended
    if is_gone:
        session.stalls.cut_off(model, to_ns)
    session.look(to_ns, {})
    if is_gone:
        session.notices.append(
            f"process {identity.pid} is gone; this is what its ring had when it ended"
        )
    if not is_ours:
        session.notices.append(
            f"the code is not at hand: {reader.path.name} is not in a folder where "
            "this user's programs keep their rings, and may name others' files; "
            "if it is yours, open it with LOOPSCOPE_DIR set to its folder"
        )
    unix_ns = identity.began_unix_ns
    past = Past(reader.path.name, unix_ns, first_ns, to_ns)
    player.finish(past)
    sources: dict[tuple[str, int], Source] | None = None if is_ours else {}
    return Opened(session, past, player.rows, player.records, sources)


def _look_up(place: Place, stack: Sequence[Line]) -> Remedy | None:
    return remedy_at(place, tuple(stack), lines_of)


def _slices(reader: RingReader) -> Iterator[bytes]:
    """Yield all records of a ring that nobody writes to any more."""
    now_ns = in_vain = 0
    while in_vain < PATIENCE:
        data = reader.read(now_ns, SLICE)
        # Each look a second later: so a slot that was never filled is passed.
        now_ns += 1_000_000_000
        in_vain = 0 if data else in_vain + 1
        if data:
            yield data
