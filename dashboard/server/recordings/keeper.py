"""Take down what a session is told: into a file as it goes, or into memory for later.

Bounded in both. What is kept begins anywhere, so every few seconds stands who lives
then: a recording may begin there.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from dashboard.server.model import tape
from dashboard.server.recordings import recording
from dashboard.server.recordings.bundle import Bundle
from dashboard.server.recordings.columns import span_of
from dashboard.server.recordings.drawn import Drawing
from dashboard.server.recordings.introduction import Introduced, call_roll, introduce

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dashboard.server.model.journal import Change
    from dashboard.server.model.tape import Entry
    from dashboard.server.recordings.introduction import Present
    from dashboard.server.session import Session

#: A chunk is closed after this long, or with so many bytes of records.
CHUNK_NS = 2_000_000_000
CHUNK_BYTES = 1 << 20
#: One that is written as it goes ends with a frame, unless that takes too long.
MOST_CHUNK_BYTES = 4 * CHUNK_BYTES
#: What is kept in memory, as it came: two million records.
KEEP_BYTES = 64 << 20
#: An entry takes about this much beside its records and texts, and each text, each
#: task and each loop of a roll this much.
ENTRY_BYTES = 400
TEXT_BYTES = 60
LIVING_BYTES = 200
PRESENT_BYTES = 1_000
#: A roll is kept when what came since the one before takes more than that one, but at
#: the latest after this long: a part may begin so much before what was asked for.
ROLL_NS = 10_000_000_000


@dataclass(slots=True)
class Kept:
    """A chunk in memory."""

    roll: dict[int, Present] | None
    """By loop, who lived at its beginning; None: no part begins here."""
    entries: list[Entry] = field(default_factory=list)
    first_ns: int = 0
    last_ns: int = 0
    size: int = 0
    """Bytes in memory, about."""
    records: int = 0

    def __post_init__(self) -> None:
        for present in (self.roll or {}).values():
            self.size += PRESENT_BYTES + LIVING_BYTES * len(present.living)

    def add(self, entry: Entry) -> None:
        """Take down one more."""
        self.entries.append(entry)
        self.size += ENTRY_BYTES
        if isinstance(entry, tape.Records):
            self.size += len(entry.data)
            self.records += len(entry.data)
        elif isinstance(entry, tape.Tick | tape.Frame):
            self.first_ns = self.first_ns or entry.t
            self.last_ns = entry.t
        else:
            self.size += sum(map(_text_bytes, entry))

    @property
    def is_full(self) -> bool:
        """Whether the next one begins."""
        return self.records >= CHUNK_BYTES or self.last_ns - self.first_ns >= CHUNK_NS


class Keeper:
    """The last minutes of a session, in memory."""

    def __init__(self, *, keep_bytes: int = KEEP_BYTES) -> None:
        self.session: Session | None = None
        self._keep_bytes = keep_bytes
        self._chunks: deque[Kept] = deque([Kept({})])
        self._bytes = 0
        """Of all chunks but the last."""
        self._since_roll = 0
        """Of all chunks but the last, from the last roll on, with it."""
        self._roll_bytes = 0
        self._roll_ns = 0
        self._is_whole = True
        """Nothing has been forgotten yet."""

    def __repr__(self) -> str:
        return f"<Keeper of {len(self._chunks)} chunks, {self._bytes >> 20} MB>"

    @property
    def first_ns(self) -> int:
        """From when on something is kept."""
        return self._chunks[0].first_ns

    def tape(self, entry: Entry) -> None:
        """Take down what a session is told. To be called in its thread."""
        if self._chunks[-1].is_full:
            self._begin_chunk()
        self._chunks[-1].add(entry)

    def _begin_chunk(self) -> None:
        last = self._chunks[-1]
        self._bytes += last.size
        self._since_roll += last.size
        chunk = Kept(None)
        if (
            self._since_roll > 2 * self._roll_bytes
            or last.last_ns - self._roll_ns >= ROLL_NS
        ):
            chunk = Kept(call_roll(self.session))
            self._roll_bytes, self._roll_ns = chunk.size, last.last_ns
            self._since_roll = 0
        self._chunks.append(chunk)
        while self._bytes + chunk.size > self._keep_bytes and self._forget():
            self._is_whole = False

    def _forget(self) -> bool:
        """Drop the oldest up to the next roll, if anything is left then."""
        chunks = self._chunks
        last = len(chunks) - 1
        rolls = (n for n, chunk in enumerate(chunks) if n and chunk.roll is not None)
        end = next(rolls, last)
        for _ in range(end if end < last else 0):
            self._bytes -= chunks.popleft().size
        return end < last

    def cut(self, from_ns: int, to_ns: int) -> list[list[Entry]]:
        """Return what is kept of a stretch, chunk by chunk, to be written.

        It begins with a roll, some seconds before the stretch does, and ends with
        a chunk.
        """
        session = self.session
        assert session is not None  # who tapes is told of its session first
        session.tape_seen()
        chunks = list(self._chunks)
        inside = [
            index
            for index, chunk in enumerate(chunks)
            if chunk.last_ns >= from_ns and chunk.first_ns <= to_ns and chunk.entries
        ]
        if not inside:
            return []
        begin = inside[0]
        while begin and chunks[begin].roll is None:
            begin -= 1
        chosen = chunks[begin : inside[-1] + 1]
        if self._is_whole and not begin:
            return [list(chunk.entries) for chunk in chosen]
        first = chosen[0]
        assert first.roll is not None  # the oldest that is kept has one
        opening = introduce(session, first.roll, first.first_ns)
        introduced = Introduced(first.roll)
        rest = [introduced.choose(chunk.entries) for chunk in chosen]
        return [[*opening, *rest[0]], *rest[1:]]


def _text_bytes(value: object) -> int:
    if isinstance(value, tuple):
        return sum(map(_text_bytes, value))
    return TEXT_BYTES + len(value) if isinstance(value, str) else 0


def pack(
    entries: list[Entry],
    bundle: Bundle,
    unix_of: dict[int, int],
    *,
    drawn: bytes = b"",
) -> bytes:
    """Return the bytes of a chunk, with the code that its strings name.

    Its picture, if there is one, stands before it. `unix_of` tells when each loop
    began, and learns it from the entries.
    """
    sources: list[Entry] = []
    moments: list[int] = []
    for entry in entries:
        if isinstance(entry, tape.Loop):
            unix_of[entry.loop] = entry.began_unix_ns
        elif isinstance(entry, tape.Strings):
            began_ns = unix_of.get(entry.loop, 0)
            sources += bundle.gather(entry.texts, began_unix_ns=began_ns)
        elif isinstance(entry, tape.Records):
            moments += span_of(entry.data)
        elif isinstance(entry, tape.Tick | tape.Frame):
            moments.append(entry.t)
    first_ns, last_ns = min(moments, default=0), max(moments, default=0)
    if drawn:
        drawn = recording.write_drawn(drawn, first_ns=first_ns, last_ns=last_ns)
    told = [*entries, *sources]
    return drawn + recording.write_chunk(told, first_ns=first_ns, last_ns=last_ns)


def write_whole(head: recording.Head, chunks: Iterable[list[Entry]]) -> Iterable[bytes]:
    """Yield the bytes of a recording of these chunks. Reads files, and takes its time."""
    bundle = Bundle()
    unix_of: dict[int, int] = {}
    yield recording.write_head(head)
    for entries in chunks:
        yield pack(entries, bundle, unix_of)


class FileTape:
    """Write what a session is told into a file, a chunk after the other.

    What cannot be written raises nothing: the file ends with its last whole chunk.
    """

    def __init__(self, file: BinaryIO, head: recording.Head) -> None:
        self.failure: Exception | None = None
        """Why nothing more is taken down."""
        self.size_bytes = 0
        self._file = file
        self._chunk = Kept({})
        self._drawing = Drawing()
        self._bundle = Bundle()
        self._unix_of: dict[int, int] = {}
        self._write(recording.write_head(head))

    def __repr__(self) -> str:
        return f"<FileTape of {self._file.name}>"

    def tape(self, entry: Entry) -> None:
        """Take down what a session is told."""
        if self.failure is None:
            if self._is_over():
                self.flush()
            self._chunk.add(entry)

    def draw(self, now_ns: int, change: Change) -> None:
        """Take down what a frame has told viewers, behind its entry."""
        if self.failure is None:
            self._drawing.add(now_ns, change)

    def _is_over(self) -> bool:
        chunk = self._chunk
        return chunk.is_full and (
            isinstance(chunk.entries[-1], tape.Frame)
            or chunk.records >= MOST_CHUNK_BYTES
        )

    def flush(self) -> None:
        """Write what there is: whoever opens the file now sees it."""
        entries, self._chunk = self._chunk.entries, Kept({})
        drawing, self._drawing = self._drawing, Drawing()
        if not entries or self.failure is not None:
            return
        try:
            data = pack(entries, self._bundle, self._unix_of, drawn=drawing.write())
        except Exception as error:  # noqa: BLE001 - whoever is followed must go on
            # Later chunks would build upon what is missing.
            self.failure = error
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                # A raw file may take a part.
                rest = rest[self._file.write(rest) :]
            self._file.flush()
        except OSError as error:
            self.failure = error
            # A pipe or a device cannot be cut.
            with suppress(OSError):
                self._file.truncate(self.size_bytes)
        else:
            self.size_bytes += len(data)


def head_of(session: Session) -> recording.Head:
    """Return the head of a recording of a live session that is made now."""
    now_ns = time.monotonic_ns()
    return recording.new_head(
        session.origin_ns, time.time_ns() - (now_ns - session.origin_ns)
    )
