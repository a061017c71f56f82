"""What the dashboard answers about stalls: one in full, and how long one must last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from dashboard.demo.scenario import shortened
from dashboard.errors import BadParameter
from dashboard.server.diagnosis.excerpt import read_excerpt
from dashboard.server.model.stalls import MAX_STALL_NS, MIN_STALL_NS
from dashboard.server.recordings.bundle import describe_excerpt
from dashboard.server.routes.orders import read_order

if TYPE_CHECKING:
    from dashboard.server.dashboard import Dashboard
    from dashboard.server.model.stall import Stall
    from dashboard.server.session import Session

EXAMPLE = '{"stall_ms": 100}'

router = APIRouter()


def _session(request: Request) -> Session:
    dashboard: Dashboard = request.app.state.dashboard
    return dashboard.session


@router.get("/api/stalls/{number}")
async def stall(request: Request, number: int) -> dict[str, Any]:
    """Tell all that is known of one stall: its stack, its line's source, its victims."""
    found = _session(request).stalls.find(number)
    if found is None:
        raise HTTPException(404, f"There is no stall {number} any more.")
    return await describe_stall(request.app.state.dashboard, found)


async def describe_stall(dashboard: Dashboard, stall: Stall) -> dict[str, Any]:
    """Return a stall in full, with its line's source, which is read in a thread."""
    session, opened = dashboard.session, dashboard.opened
    told = stall.describe()
    told["start_ns"] = stall.start_ns - session.origin_ns
    loop = session.loops.get(stall.loop)
    culprit = stall.culprit
    source = None
    if culprit is not None and loop is not None:
        began_ns = loop.identity.began_unix_ns
        if opened is not None and opened.sources is not None:
            source = describe_excerpt(opened.sources, culprit)
        else:
            source = await anyio.to_thread.run_sync(
                lambda: read_excerpt(culprit, began_unix_ns=began_ns)
            )
    return told | {"source": source}


@router.get("/api/settings")
async def settings(request: Request) -> dict[str, float]:
    """Tell what can be changed while the dashboard runs."""
    return _describe(_session(request))


@router.post("/api/settings")
async def change_settings(request: Request) -> dict[str, float]:
    """Change how long a step must last to be a stall, from now on and for all."""
    stall_ms = (await read_order(request, {"stall_ms"}, EXAMPLE)).get("stall_ms")
    least, most = MIN_STALL_NS / 1e6, MAX_STALL_NS / 1e6
    if (
        isinstance(stall_ms, bool)
        or not isinstance(stall_ms, int | float)
        # NaN is in no range, and Python compares integers of any length.
        or not least <= stall_ms <= most
    ):
        raise BadParameter(
            f"stall_ms must be a number from {least:g} to {most:g}, "
            f"got {shortened(stall_ms)}"
        )
    session = _session(request)
    session.stalls.threshold_ns = round(stall_ms * 1e6)
    return _describe(session)


def _describe(session: Session) -> dict[str, float]:
    return {
        "stall_ms": session.stalls.threshold_ns / 1e6,
        "stall_ms_min": MIN_STALL_NS / 1e6,
        "stall_ms_max": MAX_STALL_NS / 1e6,
    }
