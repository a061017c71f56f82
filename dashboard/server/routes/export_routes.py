"""What the dashboard hands out for other tools: a trace, a table, numbers, a page.

What is read is copied at once; to put it into words takes a thread, not the loop
that everybody's frames come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from dashboard.server.exports.metrics import expose
from dashboard.server.exports.requests_csv import write_table
from dashboard.server.exports.trace import Mark, Stretch, Track, trace_events
from dashboard.server.streaming import wire

if TYPE_CHECKING:
    from dashboard.server.dashboard import Dashboard
    from dashboard.server.session import Session

router = APIRouter()

Ns = Annotated[int | None, Query(ge=-(2**62), le=2**62)]


def _session(request: Request) -> Session:
    dashboard: Dashboard = request.app.state.dashboard
    return dashboard.session


@router.get("/api/export/trace.json")
async def trace(request: Request, from_ns: Ns = None, to_ns: Ns = None) -> Response:
    """Export what is kept, or a stretch of it, as a trace that Perfetto opens.

    Times are the wire's: ns since the session's origin.
    """
    session = _session(request)
    now_ns = request.app.state.dashboard.now_ns()
    origin_ns = session.origin_ns
    begin_ns = origin_ns + from_ns if from_ns is not None else -(2**62)
    end_ns = min(origin_ns + to_ns, now_ns) if to_ns is not None else now_ns
    change = session.journal.snapshot()
    tracks = {
        loop.id: Track(loop.identity.pid, loop.identity.title or "the loop")
        for loop in session.loops.values()
    }
    marks = [
        Mark(stall.loop, stall.start_ns, f"stall: {stall.culprit or stall.label}")
        for stall in session.stalls.kept
    ]
    requests = (*session.requests.finished, *session.requests.open.values())
    phases = [
        Stretch(each.loop, each.id, p.start_ns, p.end_ns, p.name, p.function)
        for each in requests
        for p in each.phases
    ]
    known = {
        "source": "loopscope",
        "origin_unix_ms": wire.origin_unix_ms(session, now_ns),
        "missed": session.missed,
        "thinned": session.journal.thinned,
        "undrawn": session.requests.undrawn,
    }

    def write() -> str:
        events = trace_events(
            change,
            tracks,
            marks,
            phases,
            origin_ns=origin_ns,
            begin_ns=begin_ns,
            end_ns=end_ns,
        )
        return wire.encode(
            {"traceEvents": events, "displayTimeUnit": "ms", "otherData": known}
        )

    return download(
        await anyio.to_thread.run_sync(write), "application/json", "trace.json"
    )


@router.get("/api/export/requests.csv")
async def requests(request: Request) -> Response:
    """Export the finished requests that are kept, oldest first."""
    session = _session(request)
    origin_unix_ms = wire.origin_unix_ms(session, request.app.state.dashboard.now_ns())
    finished = list(session.requests.finished)
    table = await anyio.to_thread.run_sync(
        lambda: write_table(
            finished, origin_ns=session.origin_ns, origin_unix_ms=origin_unix_ms
        )
    )
    return download(table, "text/csv; charset=utf-8", "requests.csv")


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Tell Prometheus, or another scraper of its formats, how the loops do."""
    text, content_type = expose(
        _session(request),
        request.app.state.dashboard.now_ns(),
        request.headers.get("accept", ""),
    )
    return Response(text, headers={"Content-Type": content_type})


def download(text: str, media_type: str, name: str) -> Response:
    """Answer with a file, by a name that says where it comes from."""
    disposition = f'attachment; filename="loopscope-{name}"'
    return Response(
        # A path may hold bytes that are no UTF-8; they stay what they look like.
        text.encode("utf-8", "replace"),
        media_type=media_type,
        headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
    )
