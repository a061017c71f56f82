"""Account for every nanosecond of a request: where its wall time went.

Several tasks may serve one request at once. An instant then counts for the first
that applies in the order of `PRECEDENCE`, so the parts always add up to the whole.
No clock and no I/O: times come with the calls, in order.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dashboard.server.model.lanes import LaneKind, State
from dashboard.server.model.request import KEEP_PHASES, PARTS, Request, RequestKind
from dashboard.server.model.tallies import RequestTallies

if TYPE_CHECKING:
    from dashboard.server.model.journal import Journal
    from dashboard.server.model.request import Phase

#: States that a request can be in, the one that counts first in front.
PRECEDENCE = (
    State.RUNNING,
    State.READY,
    State.DUE,
    State.THREAD,
    State.PROCESS,
    State.THREAD_QUEUE,
    State.WAITING,
    State.LOST,
)

# As plain integers and in place: an enum's member costs a look-up at each use.
_PRECEDENCE = tuple(map(int, PRECEDENCE))
_FIRST = _PRECEDENCE[0]
_READY = int(State.READY)
_PARTS = [PARTS.get(state, "waiting") for state in State]
#: Finished requests that stay available to `/api/state` and new viewers.
KEEP_FINISHED = 500
#: Beyond this many new requests they are counted, not drawn: a burst of several
#: hundred always has its lanes, a steady stream 900 a second.
LANES_AT_ONCE = 500
LANES_PER_FRAME = 30


LANE_KINDS = {
    RequestKind.HTTP: LaneKind.REQUEST,
    RequestKind.STREAM: LaneKind.STREAM,
    RequestKind.WEBSOCKET: LaneKind.WEBSOCKET,
}


class Requests:
    """All requests of a session, whichever loop serves them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._next_id = 1
        self._outside: dict[int, Request] = {}
        self.open: dict[int, Request] = {}
        self.finished: deque[Request] = deque(maxlen=KEEP_FINISHED)
        self.fresh: list[Request] = []
        """Finished since the stream last asked."""
        self.late: list[Request] = []
        """Those told before the last frame of which phases after the answer came since."""
        self._ended: list[Request] = []
        self.begun_count = 0
        self.finished_count = 0
        self.undrawn = 0
        self.tallies = RequestTallies()
        self._lanes_left = LANES_AT_ONCE

    def __repr__(self) -> str:
        return f"<Requests {self.begun_count} begun, {self.finished_count} finished>"

    def begin_frame(self) -> list[Request]:
        """Return what finished since the last frame; allow new lanes again."""
        fresh, self.fresh = self.fresh, []
        told = {request.id for request in fresh} if self._ended else set()
        self.late = [each for each in self._ended if each.id not in told]
        self._ended.clear()
        self._lanes_left = min(LANES_AT_ONCE, self._lanes_left + LANES_PER_FRAME)
        return fresh

    def told(self) -> list[Request]:
        """Return the finished ones that were in a frame already."""
        finished = list(self.finished)
        return finished[: max(0, len(finished) - len(self.fresh))]

    # ------------------------------------------------ told by whoever sent them

    def sent(
        self, span: int, t: int, *, method: str, path: str, scenario: str, loop: int
    ) -> Request:
        """A request of ours is on its way: it stands at the door."""
        request = self._new(t, loop)
        request.method, request.route, request.scenario = method, path, scenario
        request.sent = True
        self._outside[span] = request
        self._journal.rename_lane(request.lane, request.label, loop)
        self._journal.row(request.lane, t, State.OUTSIDE)
        return request

    def stand_at(self, loop: int) -> None:
        """A loop was found: what went out before any was known stands at its door."""
        for request in self.open.values():
            if not request.loop:
                request.loop = loop
                self._journal.rename_lane(request.lane, request.label, loop)

    def settle_outside(self, span: int, t: int, status: int) -> None:
        """An answer came, or failed, for a request that no loop ever showed us.

        Call it some time after the answer: its records may still be on their way.
        """
        request = self._outside.pop(span, None)
        if request is not None:
            request.status = status
            self._finish(request, t)
            request.ended = True
            request.ended_ns = t
            self._journal.row(request.lane, t, State.GONE)

    # ---------------------------------------------------- told by a loop's model

    def begin(self, t: int, *, loop: int, span: int | None) -> Request:
        """A loop begins to serve a request, which may be one that we sent."""
        request = self._outside.pop(span, None) if span is not None else None
        if request is None:
            request = self._new(t, loop)
            # Nobody sent it, so it was never outside; its tasks say better at once.
            request.state = State.LOST
            return request
        self._account(request, max(t, request.begun_ns))
        request.loop = loop
        self._journal.rename_lane(request.lane, request.label, loop)
        return request

    def name(self, request: Request, method: str, route: str) -> None:
        """The router has found the request's route."""
        request.method, request.route = method, route
        request.shown = self._journal.intern(request.label)
        self._journal.rename_lane(request.lane, request.label, request.loop)

    def phase(self, request: Request, phase: Phase) -> None:
        """A phase of a request is over."""
        phases = request.phases
        if len(phases) < KEEP_PHASES:
            phases.append(phase)
        elif phases[-1].name == phase.name:
            # Background tasks follow each other: they are told as one.
            phases[-1].end_ns = phase.end_ns
            phases[-1].count += 1

    def turn(self, request: Request, kind: RequestKind) -> None:
        """A request turns out to be of another kind, and its lane with it."""
        request.kind = kind
        self._journal.turn_lane(request.lane, LANE_KINDS[kind])

    def enter(self, request: Request, state: int, t: int, info: int) -> None:
        """One more of the request's tasks is in `state`."""
        request.counts[state] += 1
        self._settle(request, t, state, info)

    def leave(self, request: Request, state: int, t: int) -> None:
        """One of its tasks has left `state` and is in none (it is done)."""
        request.counts[state] -= 1
        self._settle(request, t, state, 0)

    def move(
        self, request: Request, old: int, new: int, t: int, info: int, who: int = 0
    ) -> None:
        """One of its tasks goes from one state to another, because of lane `who`."""
        request.counts[old] -= 1
        request.counts[new] += 1
        if new == _READY:
            request.woken = (info, who)
        self._settle(request, t, new, info, who)

    def answer(self, request: Request, t: int, status: int) -> None:
        """The last byte of the answer was handed over: the split ends here."""
        request.status = status
        self._finish(request, t)

    def end(self, request: Request, t: int) -> None:
        """The request has left the app, background tasks included."""
        if not request.answered_ns:
            self._finish(request, t)
        request.ended = True
        request.ended_ns = t
        self._journal.row(request.lane, t, State.GONE)
        if request.phases and request.phases[-1].end_ns > request.answered_ns:
            self._ended.append(request)

    # -------------------------------------------------------------------------

    def _new(self, t: int, loop: int) -> Request:
        number = self._next_id
        self._next_id += 1
        self.begun_count += 1
        lane = 0
        if self._lanes_left > 0:
            self._lanes_left -= 1
            lane = self._journal.add_lane(
                LaneKind.REQUEST, loop=loop, label="request", t=t, request=number
            )
        else:
            self.undrawn += 1
        request = Request(number, loop, t, lane, since_ns=t)
        self.open[number] = request
        return request

    def _settle(
        self, request: Request, t: int, changed: int, info: int, who: int = 0
    ) -> None:
        counts = request.counts
        if counts[_FIRST]:
            state = _FIRST
        else:
            for state in _PRECEDENCE:
                if counts[state]:
                    break
            else:
                # No task of it lives between its last step and its end.
                state = request.state if request.ended else _FIRST
        # Who woke a second task of a request that is ready already is its own affair.
        if state == request.state and (
            state == _READY or not (state == changed and info)
        ):
            return
        self._account(request, t)
        if request.ended:
            return
        if state != request.state or info != request.info:
            request.state = state
            if state != changed:
                # A callback that ran for it is over: the wake of before holds again.
                info, who = request.woken if state == _READY else (0, 0)
            request.info = info
            self._journal.row(request.lane, t, state, info, who)

    def _account(self, request: Request, t: int) -> None:
        since = request.since_ns
        if t > since and not request.answered_ns:
            request.spent_ns[_PARTS[request.state]] += t - since
            request.since_ns = t

    def _finish(self, request: Request, t: int) -> None:
        self._account(request, t)
        # Never before what is already accounted for, so that the sum holds.
        request.answered_ns = max(t, request.since_ns)
        self.open.pop(request.id, None)
        self.finished.append(request)
        self.fresh.append(request)
        self.finished_count += 1
        self.tallies.add(request)
