"""The only place where JSON exists: protocol 1, as ARCHITECTURE.md describes it.

Pure functions from the session to bytes. Times leave here as nanoseconds since
the session's origin, so that a browser's numbers hold them exactly.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from dashboard import __version__
from dashboard.server.model.lanes import LaneKind, State
from dashboard.server.recordings.drawn import Columns, in_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dashboard.server.model.incidents import Incident
    from dashboard.server.model.journal import Change
    from dashboard.server.model.lanes import Lane, Row
    from dashboard.server.model.request import Request
    from dashboard.server.model.stall import Stall
    from dashboard.server.presses.batches import Batch
    from dashboard.server.recordings.drawn import Drawn
    from dashboard.server.session import Past, Session

PROTOCOL = 1
FRAME_HZ = 30
#: What `/api/state` and a snapshot show of what is finished.
RECENT_REQUESTS = 200
RECENT_STALLS = 50
RECENT_INCIDENTS = 200
#: What of a request may become known after it was told.
AFTERWARDS = ("id", "after_ms", "phases")


def encode(value: object) -> str:
    """Return compact JSON on one line; text of others stays data, never markup."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def sse(event: str, event_id: str, value: object) -> bytes:
    """Return one Server-Sent Event."""
    return f"id: {event_id}\nevent: {event}\ndata: {encode(value)}\n\n".encode()


def describe_frame(
    session: Session,
    now_ns: int,
    seq: int,
    notices: list[str],
    change: Change | Drawn,
) -> dict[str, Any]:
    """Return a frame: what changed, and the complete state of what is small."""
    origin = session.origin_ns
    finished = session.requests.begin_frame()
    late = _requests(session.requests.late, origin)
    return {
        **_head(session, now_ns, seq, notices),
        **_picture(change, origin),
        "requests": _requests(finished, origin),
        "afterwards": [{name: each[name] for name in AFTERWARDS} for each in late],
        "stalls": _stalls(session.stalls.take(), origin),
        "incidents": _incidents(session.incidents.take(), origin),
        "diagnosis": _diagnosis(session, now_ns) if session.findings.take() else None,
    }


def describe_snapshot(
    session: Session,
    now_ns: int,
    seq: int,
    notices: list[str],
    change: Change | None = None,
) -> dict[str, Any]:
    """Return a frame that holds everything a new viewer needs.

    Who has got what is drawn needs no `change` but an empty one.
    """
    origin = session.origin_ns
    change = session.journal.snapshot() if change is None else change
    # Of a recording there may be no more than its picture so far.
    is_known = session.past is None or bool(session.loops)
    told, stalls = session.requests.told(), list(session.stalls.kept)
    if session.past is None:
        told, stalls = told[-RECENT_REQUESTS:], stalls[-RECENT_STALLS:]
    return {
        **_head(session, now_ns, seq, notices),
        **_picture(change, origin),
        "requests": _requests(told, origin),
        "afterwards": [],
        "stalls": _stalls(stalls, origin),
        "incidents": _incidents(session.incidents.told(), origin),
        "diagnosis": _diagnosis(session, now_ns) if is_known else None,
    }


def describe_hello(
    session: Session,
    now_ns: int,
    *,
    run: str,
    demo_url: str | None,
    skipped: int,
    snapshot: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the first event of a stream."""
    return {
        "protocol": PROTOCOL,
        "version": __version__,
        "run": run,
        "origin_unix_ms": origin_unix_ms(session, now_ns),
        "t_ns": now_ns - session.origin_ns,
        "states": [state.name.lower() for state in State],
        "lane_kinds": [kind.name.lower() for kind in LaneKind],
        "stall_threshold_ns": session.stalls.threshold_ns,
        "keep_ns": session.journal.keep_ns,
        "frame_hz": FRAME_HZ,
        "demo": {"url": demo_url} if demo_url else None,
        "recording": _past(session.past, session.origin_ns),
        "resumed": snapshot is None,
        "skipped": skipped,
        "snapshot": snapshot,
    }


def origin_unix_ms(session: Session, now_ns: int) -> int:
    """Return the wall clock at the session's origin, by what both clocks say now."""
    if session.past is not None:
        return session.past.origin_unix_ns // 1_000_000
    return (time.time_ns() - (now_ns - session.origin_ns)) // 1_000_000


def describe_state(session: Session, now_ns: int) -> dict[str, Any]:
    """Return `/api/state`: what is going on, and the most recent of what ended."""
    origin = session.origin_ns
    requests = [
        *session.requests.open.values(),
        *list(session.requests.finished)[: -RECENT_REQUESTS - 1 : -1],
    ]
    return {
        "t_ns": now_ns - origin,
        "missed": session.missed,
        "loops": session.describe_loops(now_ns),
        "tasks": session.describe_tasks(),
        "requests": _requests(requests, origin, now_ns),
        "stalls": _stalls(list(session.stalls.kept)[-RECENT_STALLS:], origin),
        "incidents": _incidents(
            list(session.incidents.kept)[-RECENT_INCIDENTS:], origin
        ),
        "findings": session.findings.describe(now_ns),
        "verdict": session.findings.verdict(now_ns),
        "checks": session.findings.describe_checks(),
        "counts": _counts(session),
        "notices": session.notices,
    }


def describe_batch(batch: Batch, origin_ns: int) -> dict[str, Any]:
    """Return what became of a press: its requests, facts and explanation."""
    others = {request.id for request in batch.others}
    requests = [
        described | {"is_other": described["id"] in others}
        for described in _requests(batch.requests, origin_ns)
    ]
    return {**describe_result(batch), "requests": requests}


def describe_result(batch: Batch) -> dict[str, Any]:
    """Return what was measured of a batch, without its requests."""
    return {
        "id": batch.id,
        "scenario": batch.scenario.id,
        "story": batch.scenario.story,
        "done": batch.done,
        "expected": batch.expected,
        "sent": len(batch.leads) + len(batch.others),
        "trouble": batch.trouble,
        "explanation": batch.explanation(),
        "facts": batch.facts,
        "words": batch.words,
    }


def read_detail(body: bytes) -> str:
    """Return the sentence in an answer that refuses something, or nothing."""
    try:
        detail = json.loads(body)["detail"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return ""
    return detail[:500] if isinstance(detail, str) else ""


def _past(past: Past | None, origin_ns: int) -> dict[str, Any] | None:
    return past and {
        "name": past.name,
        "from_ns": past.from_ns - origin_ns,
        "to_ns": past.to_ns - origin_ns,
    }


def _head(
    session: Session, now_ns: int, seq: int, notices: list[str]
) -> dict[str, Any]:
    return {
        "seq": seq,
        "t_ns": now_ns - session.origin_ns,
        "missed": session.missed,
        "thinned": session.journal.thinned,
        "undrawn": session.requests.undrawn,
        "loops": session.describe_loops(now_ns),
        "counts": _counts(session),
        "stall_threshold_ns": session.stalls.threshold_ns,
        "notices": notices,
    }


def _counts(session: Session) -> dict[str, int]:
    requests = session.requests
    return {
        "requests": requests.begun_count,
        "finished": requests.finished_count,
        "open": len(requests.open),
    }


def _picture(change: Change | Drawn, origin_ns: int) -> dict[str, Any]:
    return {
        "strings": change.strings,
        "lanes": [_lane(lane, origin_ns) for lane in change.lanes],
        "rows": _columns(change.rows, origin_ns),
        "deadlines": [[lane, t - origin_ns] for lane, t in change.deadlines.items()],
    }


#: Which number of a lane tells since when it is there.
LANE_T = 5


def _lane(lane: Lane, origin_ns: int) -> list[int]:
    return [
        lane.id,
        lane.kind,
        lane.loop,
        lane.label,
        lane.request,
        lane.t - origin_ns,
        lane.spawn,
    ]


def _columns(rows: list[Row] | Columns, origin_ns: int) -> dict[str, Any] | None:
    columns = rows if isinstance(rows, Columns) else in_columns(rows)
    times, *others = map(list, columns)
    if not times:
        return None
    lane, state, info, who = others
    t0, times[0] = times[0] - origin_ns, 0
    return {
        "t0": t0,
        "t": times,
        "lane": lane,
        "state": state,
        "info": info,
        "who": who,
    }


def _requests(
    requests: Iterable[Request], origin_ns: int, now_ns: int = 0
) -> list[dict[str, object]]:
    return [request.to_wire(now_ns, origin_ns) for request in requests]


def _stalls(stalls: Iterable[Stall], origin_ns: int) -> list[dict[str, object]]:
    return [
        stall.to_wire() | {"start_ns": stall.start_ns - origin_ns} for stall in stalls
    ]


def _incidents(incidents: Iterable[Incident], origin_ns: int) -> list[dict[str, Any]]:
    return [
        incident.to_wire() | {"start_ns": incident.start_ns - origin_ns}
        for incident in incidents
    ]


def _diagnosis(session: Session, now_ns: int) -> dict[str, Any]:
    findings = session.findings
    return {
        "verdict": findings.verdict(now_ns),
        "findings": findings.describe(now_ns),
        "checks": findings.describe_checks(),
    }
