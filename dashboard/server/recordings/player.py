"""Tell a session what another one was told: the same model makes the same of it.

Trusts nothing: what cannot have happened, or is more than anybody looks at, ends it
with a sentence. No clock and no I/O.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from dashboard.errors import RecordingDamaged, RecordingTooLarge
from dashboard.records import RECORD_BYTES, Cell
from dashboard.ring.layout import Identity
from dashboard.ring.writer import MAX_STRING_BYTES
from dashboard.server.diagnosis.remedies import NOT_YET, Remedy
from dashboard.server.model.stall import Line
from dashboard.server.model.tape import (
    Advised,
    Arrived,
    Frame,
    Look,
    Loop,
    Lost,
    Records,
    Seen,
    Sent,
    Settled,
    Source,
    Stack,
    Starved,
    Still,
    Strings,
    Threshold,
    Tick,
)
from dashboard.server.reading.names import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dashboard.server.model.incidents import Incident
    from dashboard.server.model.observed import ObservedLoop
    from dashboard.server.model.request import Request
    from dashboard.server.model.stall import Stall
    from dashboard.server.model.tape import Entry
    from dashboard.server.session import Past, Session

#: More living tasks, or requests under way, than a loop has that anybody looks at:
#: some 200 MB of them.
MAX_TASKS = 200_000
#: Records within one step.
MAX_UNPLAYED = 2_000_000
#: Loops that live at once.
MAX_LOOPS = 64
#: All of a file: a loop that is over leaves its row, some hundred bytes.
MAX_LOOPS_EVER = 20_000
MAX_STRINGS = 100_000
#: All text of a file, each told apart once: 64 rings full of it have a third.
MAX_TEXT_BYTES = 64 << 20
#: What keeping one more takes beside its own bytes, in tables.
ENTRY_BYTES = 100
#: Of the code of a function; what we write has 60 lines at most.
MAX_CODE = 1 << 16
#: Lines of a stack; a dump has 100.
MAX_STACK = 200
#: Requests, stalls and incidents that are over and can be seen still.
KEEP = 100_000


class Remedies:
    """The remedies that were told, for a session that is made from a tape."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], Remedy | None] = {}

    def __repr__(self) -> str:
        return f"<Remedies for {len(self._told)} lines>"

    def add(self, entry: Advised) -> None:
        """One was found."""
        remedy = Remedy(entry.kind, entry.before, entry.after, entry.note, entry.at)
        self._told[entry.file, entry.line] = remedy if entry.kind else None

    def find(self, place: Place, stack: Sequence[Line]) -> Remedy | None:
        """Return what was told of a place, or `NOT_YET`."""
        return self._told.get((place.file, place.line), NOT_YET)


class Player:
    """Tell a session what another one was told. Not thread-safe."""

    def __init__(self, session: Session, remedies: Remedies) -> None:
        self.sources: dict[tuple[str, int], Source] = {}
        self.records = 0
        self.rows = 0
        """Rows as the wire has them, thinned ones not counted."""
        self.now_ns = 0
        """The latest moment that was told."""
        self._requests: deque[Request] = deque(maxlen=KEEP)
        self._stalls: dict[int, Stall] = {}
        self._incidents: deque[Incident] = deque(maxlen=KEEP)
        self._texts: dict[str, str] = {}
        self._text_bytes = 0
        self._session = session
        self._remedies = remedies
        self._loops: dict[int, ObservedLoop] = {}
        self._named: set[int] = set()
        self._handlers: dict[type, Callable[[Any], None]] = {
            Loop: self._loop,
            Strings: self._strings,
            Records: self._records,
            Tick: self._tick,
            Seen: self._seen,
            Lost: lambda entry: self._of(entry.loop).lose(),
            Still: self._still,
            Arrived: lambda entry: self._of(entry.loop).arrived(entry.t, entry.waiting),
            Starved: lambda entry: self._of(entry.loop).starved(*entry[1:]),
            Stack: self._stack,
            Sent: self._sent,
            Settled: lambda entry: session.settle(entry.span, entry.t, entry.status),
            Look: self._look,
            Advised: self._advised,
            Frame: lambda entry: self.turn_page(entry.t),
            Threshold: self._threshold,
            Source: self._source,
        }

    def __repr__(self) -> str:
        return f"<Player of {self.records} records to {self._session!r}>"

    def play(self, entry: Entry) -> None:
        """Tell it one thing.

        Raises:
            RecordingDamaged: it cannot have happened.
            RecordingTooLarge: it is more than anybody looks at.
        """
        number = getattr(entry, "loop", 0)
        is_over = number in self._named and number not in self._loops
        # Its last moments may be told just after it was dropped.
        if not is_over or isinstance(entry, Loop | Sent):
            self._handlers[type(entry)](entry)

    def turn_page(self, now_ns: int) -> None:
        """Do what a live session does when it makes a frame, and keep what is over."""
        session = self._session
        self.now_ns = max(self.now_ns, now_ns)
        self.rows += len(session.turn_page(now_ns).rows)
        self._requests += session.requests.begin_frame()
        for stall in session.stalls.take():
            if len(self._stalls) < KEEP:
                self._stalls[stall.id] = stall
        self._incidents += session.incidents.take()
        session.findings.take()

    def finish(self, past: Past) -> None:
        """Nothing more comes: all that is over is there to be seen, not the last alone."""
        self.turn_page(past.to_ns)
        session = self._session
        session.past = past
        session.requests.finished = self._requests
        session.stalls.kept = deque(sorted(self._stalls.values(), key=lambda s: s.id))
        session.incidents.kept = self._incidents

    def _of(self, number: int) -> ObservedLoop:
        loop = self._loops.get(number)
        if loop is None:
            raise RecordingDamaged(f"it tells of loop {number} before it names it")
        return loop

    def _keep(self, text: str, most: int = MAX_STRING_BYTES) -> str:
        """Return a text, cut as a ring would, and the same object for the same."""
        text = text[:most]
        kept = self._texts.get(text)
        if kept is None:
            self._spend(getsizeof(text))
            kept = self._texts[text] = text
        return kept

    def _spend(self, size_bytes: int) -> None:
        self._text_bytes += size_bytes + ENTRY_BYTES
        if self._text_bytes > MAX_TEXT_BYTES:
            raise RecordingTooLarge(
                f"it has more than {MAX_TEXT_BYTES >> 20} MB of text"
            )

    def _loop(self, entry: Loop) -> None:
        if entry.loop in self._named:
            raise RecordingDamaged("it names one of its loops twice")
        known = self._session.loops
        for number in [n for n, loop in self._loops.items() if loop.id not in known]:
            # The session has dropped it, as the live one had.
            del self._loops[number]
        living = sum(not loop.ended for loop in self._loops.values())
        if living >= MAX_LOOPS or len(self._named) >= MAX_LOOPS_EVER:
            raise RecordingTooLarge(
                f"it has more than {MAX_LOOPS} loops at once, "
                f"or {MAX_LOOPS_EVER:,} one after the other"
            )
        self._named.add(entry.loop)
        identity = Identity(
            pid=entry.pid,
            loop_no=entry.loop_no,
            began_ns=entry.began_ns,
            began_unix_ns=entry.began_unix_ns,
            pid_began=entry.pid_began,
            kind=self._keep(entry.kind),
            python=self._keep(entry.python),
            title=self._keep(entry.title),
        )
        loop = self._session.add_loop(identity, parent=entry.parent)
        self._loops[entry.loop] = loop

    def _strings(self, entry: Strings) -> None:
        strings = self._of(entry.loop).model.names.strings
        if len(strings) + len(entry.texts) > MAX_STRINGS:
            raise RecordingTooLarge(
                f"it has more than {MAX_STRINGS:,} strings for one loop"
            )
        strings.extend(map(self._keep, entry.texts))

    def _records(self, entry: Records) -> None:
        loop = self._of(entry.loop)
        loop.feed(entry.data)
        self.records += len(entry.data) // RECORD_BYTES
        model = loop.model
        alive = max(len(model.tasks.by_no), len(self._session.requests.open))
        if alive > MAX_TASKS or model.unplayed > MAX_UNPLAYED:
            raise RecordingTooLarge(
                f"it tells of more than {MAX_TASKS:,} tasks or requests at once"
            )

    def _tick(self, entry: Tick) -> None:
        self.now_ns = max(self.now_ns, entry.t)
        cells = dict.fromkeys(Cell, 0) | dict(zip(Cell, entry.cells, strict=False))
        self._session.tick(
            self._of(entry.loop), entry.t, cells, alive=bool(entry.alive)
        )

    def _seen(self, entry: Seen) -> None:
        loop = self._of(entry.loop)
        loop.missed, loop.is_held = entry.missed, bool(entry.is_held)
        loop.dumps_sent = entry.dumps_sent
        loop.dump_refusal = self._keep(entry.dump_refusal)

    def _still(self, entry: Still) -> None:
        self._session.stand_still(self._of(entry.loop), entry.until, entry.since)

    def _stack(self, entry: Stack) -> None:
        columns = zip(
            entry.files, entry.lines, entry.functions, entry.users, strict=False
        )
        stack = tuple(
            Line(Place(self._keep(file), line, self._keep(function)), bool(user))
            for file, line, function, user in islice(columns, MAX_STACK)
        )
        place = Place(self._keep(entry.file), entry.line, self._keep(entry.function))
        self._of(entry.loop).model.samples.dumped(entry.t, place, stack)

    def _sent(self, entry: Sent) -> None:
        self._session.send(
            entry.span,
            entry.t,
            method=self._keep(entry.method),
            path=self._keep(entry.path),
            scenario=self._keep(entry.scenario),
            loop=self._loops[entry.loop].id if entry.loop in self._loops else 0,
        )

    def _look(self, entry: Look) -> None:
        cpu = {
            self._loops[loop].id: share
            for loop, share in zip(entry.loops, entry.cpu, strict=False)
            if loop in self._loops
        }
        self._session.look(entry.t, cpu)

    def _threshold(self, entry: Threshold) -> None:
        self._session.stalls.threshold_ns = max(1, entry.ns)

    def _advised(self, entry: Advised) -> None:
        self._spend(getsizeof(entry))
        self._remedies.add(
            entry._replace(
                file=self._keep(entry.file),
                kind=self._keep(entry.kind),
                before=self._keep(entry.before, MAX_CODE),
                after=self._keep(entry.after, MAX_CODE),
                note=self._keep(entry.note),
            )
        )

    def _source(self, entry: Source) -> None:
        self._spend(getsizeof(entry))
        self.sources[entry.file, entry.line] = entry._replace(
            file=self._keep(entry.file),
            function=self._keep(entry.function),
            code=self._keep(entry.code, MAX_CODE),
        )
