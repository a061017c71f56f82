"""Everything the dashboard knows: its loops, requests and stalls, as one session.

No clock and no I/O: `read.py` brings records in, `stream.py` and the routes take
frames and state out.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.records import Cell, RingState
from dashboard.server.diagnosis.findings import Findings
from dashboard.server.diagnosis.remedies import NOT_YET, Remedy
from dashboard.server.model import tape as told
from dashboard.server.model.incidents import Incidents
from dashboard.server.model.journal import Journal
from dashboard.server.model.lanes import State
from dashboard.server.model.loop_model import LoopModel
from dashboard.server.model.observed import ObservedLoop, describe_loop
from dashboard.server.model.splits import Requests
from dashboard.server.model.stalls import Stalls
from dashboard.server.model.waits import whole
from dashboard.server.model.workers import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard.ring import Identity
    from dashboard.server.diagnosis.findings import FindRemedy
    from dashboard.server.model.journal import Change
    from dashboard.server.model.request import Request
    from dashboard.server.model.stall import Line
    from dashboard.server.reading.names import Place

#: Loops that ended and are still listed.
KEEP_ENDED = 8
#: What a tape says where nothing is known.
NOTHING = Remedy("", "", "", "", 0)


class Past(NamedTuple):
    """Which recording a session was made from."""

    name: str
    origin_unix_ns: int
    from_ns: int
    to_ns: int


class Session:
    """What a dashboard process has learnt since it began."""

    def __init__(
        self,
        *,
        origin_ns: int,
        find_remedy: FindRemedy | None = None,
        journal: Journal | None = None,
        tape: told.Write | None = None,
    ) -> None:
        self.origin_ns = origin_ns
        self.tape = tape
        """Takes down all that is told, so that it can be told again."""
        self.past: Past | None = None
        """It is a recording: nothing more will happen, and all of it is shown."""
        self.journal = journal or Journal()
        self.requests = Requests(self.journal)
        self.stalls = Stalls(self.requests)
        self.incidents = Incidents()
        self.loops: dict[int, ObservedLoop] = {}
        self._ask = find_remedy or (lambda _place, _stack: None)
        self.findings = Findings(self, self._find_remedy)
        self.advised: dict[tuple[str, int], told.Advised] = {}
        """What was said to write instead, by file and line; for a tape."""
        self.notices: list[str] = []
        """Sentences about rings that cannot be read."""
        self._next_loop = 1
        self._threshold_ns = 0

    def __repr__(self) -> str:
        return f"<Session {len(self.loops)} loops, {self.requests!r}>"

    @property
    def missed(self) -> int:
        """Records that were lost, over all loops."""
        return sum(loop.missed for loop in self.loops.values())

    def add_loop(self, identity: Identity, *, parent: int = 0) -> ObservedLoop:
        """A ring was found: begin to follow its loop.

        One that comes where another of the same family has ended takes its place.
        """
        number = self._next_loop
        self._next_loop += 1
        model = LoopModel(
            number,
            journal=self.journal,
            requests=self.requests,
            stalls=self.stalls,
            incidents=self.incidents,
        )
        loop = ObservedLoop(number, identity, model, parent, tape=self.tape)
        model.tape = self.tape
        if self.tape is not None:
            self.tape(describe_loop(loop))
        loop.worker, loop.replaces = self._place_of(loop)
        label = f"{identity.title or 'the loop'} · {identity.pid}"
        model.open_lane(label, identity.began_ns)
        self.loops[number] = loop
        # A press may have come before its ring was found.
        self.requests.stand_at(number)
        self.requests.tallies.apps[number] = identity.title
        return loop

    def _place_of(self, loop: ObservedLoop) -> tuple[int, int]:
        """Return the first free place of a loop's family, and who had it before."""
        family = [each for each in self.loops.values() if each.is_kin_of(loop)]
        taken = {each.worker for each in family if not each.ended}
        place = next(number for number in itertools.count(1) if number not in taken)
        before = [each.id for each in family if each.worker == place]
        return place, max(before, default=0)

    def stand_still(self, loop: ObservedLoop, until_ns: int, since_ns: int) -> None:
        """Since `since_ns` a loop's process stands still; 0: since `until_ns`, if it
        did, it goes its way again. To be told before the records written then.
        """
        stood_ns, loop.frozen_since_ns = loop.frozen_since_ns, since_ns
        if self.tape is not None and stood_ns != since_ns:
            self.tape(told.Still(loop.id, until_ns, since_ns))
        if loop.ended:
            return
        if since_ns and not stood_ns:
            loop.model.stand_still(since_ns)
        elif stood_ns and not since_ns:
            loop.model.go_on(stood_ns, until_ns)

    def tick(
        self, loop: ObservedLoop, now_ns: int, cells: dict[Cell, int], *, alive: bool
    ) -> None:
        """Take in what a ring's header said at `now_ns`, after its records."""
        if loop.ended:
            return
        if self.tape is not None:
            loop.tape_strings()
            self.tape(told.Tick(loop.id, now_ns, int(alive), tuple(cells.values())))
        loop.cost_ps = cells[Cell.COST_PS]
        loop.threads = (cells[Cell.LOOP_THREAD], cells[Cell.WATCHDOG_THREAD])
        strings = loop.model.names.strings
        loop.model.workers.tokens = Tokens(
            cells[Cell.TOKENS], cells[Cell.TOKENS_BORROWED], cells[Cell.TOKENS_WAITING]
        )
        note = cells[Cell.NOTE]
        if 0 < note < len(strings):
            loop.note = strings[note]
        if not alive or cells[Cell.STATE] != RingState.RECORDING:
            loop.ended = True
            self._end(loop, now_ns, cells, alive=alive)
            self._drop_ended()
            return
        if loop.frozen_since_ns:
            return
        loop.model.tick(now_ns, cells[Cell.OWNER], cells[Cell.SINCE])
        loop.count_second(now_ns)

    def _end(
        self, loop: ObservedLoop, now_ns: int, cells: dict[Cell, int], *, alive: bool
    ) -> None:
        model = loop.model
        is_cut = not alive and cells[Cell.STATE] == RingState.RECORDING
        if not alive:
            # Known is what it did until its last beat, or until we last looked: a C
            # call may have kept it from beating.
            seen_ns = loop.window[-1][0] if loop.window else 0
            now_ns = max(model.end_ns, seen_ns, min(cells[Cell.BEAT], now_ns))
        if is_cut and not loop.frozen_since_ns:
            model.tick(now_ns, cells[Cell.OWNER], cells[Cell.SINCE])
        model.finish(now_ns, is_cut=is_cut)

    def _drop_ended(self) -> None:
        ended = [loop.id for loop in self.loops.values() if loop.ended]
        for number in ended[:-KEEP_ENDED]:
            del self.loops[number]
            self.stalls.forget(number)
            self.requests.tallies.apps.pop(number, None)

    def send(
        self, span: int, t: int, *, method: str, path: str, scenario: str, loop: int
    ) -> Request:
        """A request of ours is on its way to a loop."""
        if self.tape is not None:
            self.tape(told.Sent(loop, span, t, method, path, scenario))
        return self.requests.sent(
            span, t, method=method, path=path, scenario=scenario, loop=loop
        )

    def settle(self, span: int, t: int, status: int) -> None:
        """It has been answered, or has failed, some time ago."""
        if self.tape is not None:
            self.tape(told.Settled(span, t, status))
        self.requests.settle_outside(span, t, status)

    def look(self, now_ns: int, cpu: Mapping[int, float]) -> None:
        """Ask the rules; `cpu` as `Findings.look` has it."""
        self.findings.look(now_ns, cpu)
        if self.tape is not None:
            # Behind the advice that it was given.
            self.tape(told.Look(now_ns, tuple(cpu), tuple(cpu.values())))

    def _find_remedy(self, place: Place, stack: Sequence[Line]) -> Remedy | None:
        remedy = self._ask(place, stack)
        if self.tape is not None and remedy is not NOT_YET:
            key = (place.file, place.line)
            kind, before, after, note, line = remedy or NOTHING
            advised = told.Advised(*key, kind, before, after, note, line)
            if self.advised.get(key) != advised:
                self.advised[key] = advised
                self.tape(advised)
        return remedy

    def turn_page(self, now_ns: int) -> Change:
        """Return what is new for a frame, and begin the next."""
        if self.tape is not None:
            self.tape_seen()
            self.tape(told.Frame(now_ns))
        for stall in self.stalls.changed.values():
            requests, others = stall.victims.sums()
            self.journal.remains.want(
                stall.id,
                stall.start_ns,
                stall.end_ns,
                is_over=not stall.is_on,
                weight=requests.delay_ns + others.delay_ns + stall.duration_ns,
            )
        return self.journal.take(now_ns)

    def tape_seen(self) -> None:
        """Take down what has changed of what nobody tells."""
        if self.tape is None:
            return
        if self._threshold_ns != self.stalls.threshold_ns:
            self._threshold_ns = self.stalls.threshold_ns
            self.tape(told.Threshold(self._threshold_ns))
        for loop in self.loops.values():
            loop.tape_seen()

    def newest_loop(self) -> int:
        """The id of the living loop that began last, or 0."""
        living = [loop.id for loop in self.loops.values() if not loop.ended]
        return max(living, default=0)

    def find_place(self, told: str) -> tuple[Place, Identity] | None:
        """Return a line of code by the words in which rows and stalls tell it.

        Only lines that a recording has named: whoever may see the page may see
        their code, and no other file's.
        """
        for loop in reversed(self.loops.values()):
            place = loop.model.names.find_place(told)
            if place is not None:
                return place, loop.identity
        return None

    # ----------------------------------------------------------------- as values

    def describe_loops(self, now_ns: int) -> list[dict[str, Any]]:
        """Return every loop as the wire shows it."""
        return [loop.describe(now_ns, self.origin_ns) for loop in self.loops.values()]

    def describe_tasks(self) -> list[dict[str, Any]]:
        """Return every living task, for `/api/state`."""
        return [
            {
                "id": task.no,
                "loop": loop.id,
                "name": task.name,
                "state": State(task.counts_as).name.lower(),
                "reason": whole(task.reason, task.detail) or None,
                "where": task.where or None,
                "request": task.request.id if task.request is not None else None,
            }
            for loop in self.loops.values()
            for task in loop.model.tasks.by_no.values()
        ]
