"""A session in Chrome's trace format, which Perfetto opens: tracks, flows, counters.

One track per lane, one slice per span, a flow from who woke a task to the slice in
which it was ready. No clock and no I/O; nothing is drawn that no row has told.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.server.model.lanes import LaneKind, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dashboard.server.model.journal import Change
    from dashboard.server.model.lanes import Lane, Row

#: Of these there is nothing to see: a gap in a track says it better.
UNSEEN = (State.GONE, State.IDLE)
#: What the counters count, each lane once: a request's tasks are parts of it.
COUNTED = {
    "ready": (State.READY, State.DUE),
    "waiting": (State.WAITING,),
    "in threads and processes": (State.THREAD, State.PROCESS),
    "waiting for a thread": (State.THREAD_QUEUE,),
    "at the door": (State.OUTSIDE,),
}
#: A lane of no loop that we know of: its request stands at a door.
NOWHERE = 1

Event = dict[str, Any]  # Chrome's, whose fields depend on its phase


class Span(NamedTuple):
    """What a lane did, from `t` to `end`."""

    t: int
    end: int
    state: int
    info: int
    who: int


@dataclass(frozen=True, slots=True)
class Track:
    """What a loop is called in the trace."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened to a loop, such as a stall."""

    loop: int
    t: int
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a request was at, whatever its lane did meanwhile: a phase."""

    loop: int
    request: int
    t: int
    end: int
    name: str
    function: str


def trace_events(
    change: Change,
    tracks: Mapping[int, Track],
    marks: Iterable[Mark] = (),
    stretches: Iterable[Stretch] = (),
    *,
    origin_ns: int,
    begin_ns: int,
    end_ns: int,
) -> list[Event]:
    """Return the events of a stretch of time, in the order in which they happen.

    Slices are pairs of `B` and `E`: a reader that rounds times cannot make two
    neighbours overlap. Times leave as microseconds since the origin.
    """
    tracks = {0: Track(NOWHERE, "no loop yet"), **tracks}
    lanes = {lane.id: lane for lane in change.lanes if lane.loop in tracks}
    spans = spans_of(change.rows, lanes, begin_ns, end_ns)
    timed: list[tuple[int, int, Event]] = []
    for number, lane_spans in spans.items():
        lane = lanes[number]
        at = {"pid": tracks[lane.loop].pid, "tid": number}
        for span in lane_spans:
            # What ends comes before what begins at the same time, and a flow after.
            timed.append((span.t, 2, {"ph": "B", **at, **_slice(span, change)}))
            timed.append((span.end, 1, {"ph": "E", **at}))
    timed += _flows(spans, lanes, tracks)
    timed += _counters(spans, lanes, tracks)
    for stretch in stretches:
        t, end = max(stretch.t, begin_ns), min(stretch.end, end_ns)
        if stretch.loop not in tracks or t >= end:
            continue
        # Beside the lane's slices, into which they do not fit: a track of its own.
        event = {"cat": "phase", "id": stretch.request, "name": stretch.name}
        event |= {"pid": tracks[stretch.loop].pid, "tid": 0}
        args = {"args": {"function": stretch.function}}
        timed += [(t, 2, {"ph": "b", **event, **args}), (end, 1, {"ph": "e", **event})]
    for mark in marks:
        if mark.loop in tracks and begin_ns <= mark.t <= end_ns:
            event = {"ph": "i", "s": "p", "name": mark.text, "cat": "stall"}
            timed.append((mark.t, 3, {**event, "pid": tracks[mark.loop].pid, "tid": 0}))
    timed.sort(key=lambda entry: entry[:2])
    events = [{**event, "ts": (t - origin_ns) / 1000} for t, _, event in timed]
    return [*_names(spans, lanes, tracks, change.strings), *events]


def spans_of(
    rows: Iterable[Row], lanes: Mapping[int, Lane], begin_ns: int, end_ns: int
) -> dict[int, list[Span]]:
    """Return what each lane did between two times; the open span ends with the latter.

    A row at the time of the one before replaces it.
    """
    by_lane: dict[int, list[Row]] = {}
    for row in rows:
        if row.lane not in lanes:
            continue
        known = by_lane.setdefault(row.lane, [])
        if known and known[-1].t == row.t:
            known.pop()
        known.append(row)
    spans: dict[int, list[Span]] = {}
    for lane, known in by_lane.items():
        ends = [row.t for row in known[1:]] + [end_ns]
        found = [
            Span(max(row.t, begin_ns), min(end, end_ns), row.state, row.info, row.who)
            for row, end in zip(known, ends, strict=True)
            if row.state not in UNSEEN and row.t < end_ns and end > begin_ns
        ]
        found = [span for span in found if span.end > span.t]
        if found:
            spans[lane] = found
    return spans


def _slice(span: Span, change: Change) -> Event:
    state = State(span.state).name.lower()
    what, _, rest = change.strings[span.info].partition("\t")
    where, _, detail = rest.partition("\t")
    if span.state == State.READY:
        args = {"woken by": what, "by name": where}
        what = ""
    else:
        args = {"where": where, "detail": detail}
    if span.state == State.RUNNING and span.who:
        args["request"] = str(span.who)
    told = {name: text for name, text in args.items() if text}
    event: Event = {"name": what or state.replace("_", " "), "cat": state}
    return event | {"args": told} if told else event


def _flows(
    spans: Mapping[int, Sequence[Span]],
    lanes: Mapping[int, Lane],
    tracks: Mapping[int, Track],
) -> Iterator[tuple[int, int, Event]]:
    """Lead from the slice of who woke a lane to the slice in which it was ready."""
    numbers = itertools.count(1)
    for number, lane_spans in spans.items():
        for span in lane_spans:
            if span.state != State.READY or span.who not in spans:
                continue
            if not _is_covered(spans[span.who], span.t) or span.who == number:
                continue  # Its slice was thinned out, or ended in this moment.
            flow = {"id": next(numbers), "name": "wake", "cat": "wake"}
            for phase, lane in (("s", lanes[span.who]), ("f", lanes[number])):
                event = {"ph": phase, **flow, "pid": tracks[lane.loop].pid}
                event["tid"] = lane.id
                if phase == "f":
                    event["bp"] = "e"  # It leads to the slice around it, not the next.
                yield span.t, 3 if phase == "s" else 4, event


def _is_covered(spans: Sequence[Span], t: int) -> bool:
    low, high = 0, len(spans)
    while low < high:
        middle = (low + high) // 2
        if spans[middle].end <= t:
            low = middle + 1
        else:
            high = middle
    return low < len(spans) and spans[low].t <= t


def _counters(
    spans: Mapping[int, Sequence[Span]],
    lanes: Mapping[int, Lane],
    tracks: Mapping[int, Track],
) -> Iterator[tuple[int, int, Event]]:
    """Count a process's lanes by what they do, at each change.

    Its loops together: a trace has one counter of a name for each process.
    """
    name_of = {state: name for name, states in COUNTED.items() for state in states}
    turns: dict[tuple[int, str], Counter[int]] = {}
    for number, lane_spans in spans.items():
        lane = lanes[number]
        if lane.kind == LaneKind.LOOP or (lane.kind == LaneKind.TASK and lane.request):
            continue
        for span in lane_spans:
            name = name_of.get(State(span.state))
            if name is not None and lane.kind not in (
                LaneKind.THREAD,
                LaneKind.PROCESS,
            ):
                pid = tracks[lane.loop].pid
                turn = turns.setdefault((pid, name), Counter())
                turn[span.t] += 1
                turn[span.end] -= 1
    for (pid, name), turn in turns.items():
        count = 0
        for t in sorted(turn):
            if turn[t]:
                count += turn[t]
                event = {"ph": "C", "name": name, "pid": pid}
                yield t, 5, event | {"args": {"count": count}}


def _names(
    spans: Mapping[int, Sequence[Span]],
    lanes: Mapping[int, Lane],
    tracks: Mapping[int, Track],
    strings: Sequence[str],
) -> Iterator[Event]:
    names: dict[int, dict[str, None]] = {}
    for loop in sorted({lanes[number].loop for number in spans}):
        names.setdefault(tracks[loop].pid, {})[tracks[loop].name] = None
    for pid, of_loops in names.items():
        yield _meta("process_name", pid, 0, {"name": ", ".join(of_loops)})
    for number in spans:
        lane = lanes[number]
        pid = tracks[lane.loop].pid
        label = strings[lane.label]
        if lane.request and lane.kind != LaneKind.TASK:
            label = f"#{lane.request} {label}"
        yield _meta("thread_name", pid, number, {"name": label})
        yield _meta("thread_sort_index", pid, number, {"sort_index": number})


def _meta(name: str, pid: int, tid: int, args: Event) -> Event:
    return {"ph": "M", "name": name, "pid": pid, "tid": tid, "args": args}
