"""What the dashboard answers about two recordings: a page, and what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from dashboard import __version__
from dashboard.server.exports.comparison import compare
from dashboard.server.routes.page_routes import templates
from dashboard.server.streaming import wire

if TYPE_CHECKING:
    from dashboard.server.recordings.opening import Opened

router = APIRouter()


def _both(request: Request) -> tuple[Opened, Opened]:
    """Return the recordings that are compared, if this dashboard was started to."""
    found = (request.app.state.dashboard.opened, request.app.state.beside)
    if None in found:
        raise HTTPException(
            404, "Nothing is compared here; start loopscope compare with two files."
        )
    return found


@router.get("/compare", response_class=HTMLResponse)
async def page(request: Request) -> Any:
    """Show two recordings on one axis."""
    both = _both(request)
    return templates.TemplateResponse(
        request,
        "compare.html",
        {"version": __version__, "names": [each.past.name for each in both]},
    )


@router.get("/api/compare")
async def difference(request: Request) -> JSONResponse:
    """Tell how two recordings differ, and all of both, as the stream would."""
    one, other = _both(request)
    told = compare(one.session, other.session)
    return JSONResponse(told | {"sides": [_hello(each) for each in (one, other)]})


def _hello(opened: Opened) -> dict[str, Any]:
    now_ns = opened.past.to_ns
    return wire.describe_hello(
        opened.session,
        now_ns,
        run=opened.past.name,
        demo_url=None,
        skipped=0,
        snapshot=wire.describe_snapshot(opened.session, now_ns, 0, []),
    )
