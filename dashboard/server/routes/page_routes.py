"""What the dashboard answers: the page, the stream, the state, the triggers.

Each handler is a few lines over `Dashboard`; nothing here computes anything.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.templating import Jinja2Templates
from starlette.exceptions import HTTPException

from dashboard import __version__
from dashboard.demo.scenario import shortened
from dashboard.errors import (
    BadParameter,
    DemoUnavailable,
    ExperimentRunning,
    OverBudget,
    TriggerError,
    UnknownScenario,
)
from dashboard.server.diagnosis import sources
from dashboard.server.presses import triggers
from dashboard.server.presses.budgets import DROP_BYTES
from dashboard.server.recordings.bundle import describe_function
from dashboard.server.routes.orders import read_order
from dashboard.server.streaming.seats import SeatedStream

if TYPE_CHECKING:
    from dashboard.ring import Identity
    from dashboard.server.dashboard import Dashboard
    from dashboard.server.reading.names import Place

EXAMPLE = '{"count": 5, "params": {"seconds": 1}}'
_STATUS = {
    UnknownScenario: 404,
    BadParameter: 422,
    OverBudget: 429,
    ExperimentRunning: 409,
    DemoUnavailable: 503,
}

router = APIRouter()


def find_assets(name: str) -> Path:
    """Return the folder of page files: in a wheel beside us, in a checkout above."""
    package = Path(__file__).parents[2]
    beside = package / name
    return beside if beside.is_dir() else package.parent / name


templates = Jinja2Templates(directory=find_assets("templates"))


def find_modules() -> list[str]:
    """Return the addresses of what the page imports, to be asked for all at once.

    Without that a browser learns of each module from the one before.
    """
    folder = find_assets("static")
    paths = (path.relative_to(folder) for path in folder.glob("js/**/*.js"))
    alone = {"articles.js", "compare.js", "main.js"}
    return [
        f"/static/{path.as_posix()}" for path in sorted(paths) if path.name not in alone
    ]


MODULES = find_modules()


def _dashboard(request: Request) -> Dashboard:
    dashboard: Dashboard = request.app.state.dashboard
    return dashboard


async def _wait_whole(request: Request) -> None:
    if not await _dashboard(request).wait_whole():
        raise HTTPException(503, "Loopscope ends before the recording was read.")


#: Of routes that look at the session: a recording's picture is not enough for them.
WHOLE = Depends(_wait_whole)


@router.get("/", response_class=HTMLResponse)
async def page(request: Request) -> Any:
    """Show the page."""
    return templates.TemplateResponse(
        request,
        "index.html",
        {
            "version": __version__,
            "demo_url": _dashboard(request).demo_url(),
            "modules": MODULES,
            "recording": _dashboard(request).session.past,
            "drop_mb": DROP_BYTES >> 20,
        },
    )


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the dashboard is up."""
    return {"status": "ok"}


@router.get("/events")
async def events(
    request: Request, last_event_id: Annotated[str | None, Header()] = None
) -> SeatedStream:
    """Stream `hello` and then a `frame` 30 times a second (ARCHITECTURE.md)."""
    dashboard = _dashboard(request)
    return SeatedStream(
        dashboard.seats,
        lambda is_over: dashboard.stream.watch(last_event_id, is_over=is_over),
    )


@router.get("/api/state", dependencies=[WHOLE])
async def state(request: Request) -> JSONResponse:
    """Tell what is going on now, and the most recent of what is over."""
    return JSONResponse(_dashboard(request).describe_state())


@router.get("/api/source", response_model=None, dependencies=[WHOLE])
async def source(request: Request, place: str) -> dict[str, Any] | Response:
    """Show the code around a line that a recording has named, if it can be read here."""
    found = _dashboard(request).session.find_place(place)
    if found is None:
        raise HTTPException(404, f"no recording has named {shortened(place)}.")
    excerpt = await describe_source(_dashboard(request), *found)
    # Not an error: a builtin's code, or that of an app on another disk.
    return Response(status_code=204) if excerpt is None else excerpt


async def describe_source(
    dashboard: Dashboard, line: Place, identity: Identity
) -> dict[str, Any] | None:
    """Return the code around a line, read in a thread; None if it is not to be had."""
    opened = dashboard.opened
    if opened is not None and opened.sources is not None:
        return describe_function(opened.sources, line)
    return await anyio.to_thread.run_sync(
        lambda: sources.read_function(line, began_unix_ns=identity.began_unix_ns)
    )


@router.post("/api/trigger/{scenario_id}", status_code=202)
async def trigger(request: Request, scenario_id: str) -> dict[str, str]:
    """Send `count` real requests to the demo app, all at once.

    Without a count it sends the scenario's own cast: as many as the story needs,
    and the ordinary requests beside them.
    """
    order = await read_order(request, {"count", "params"}, EXAMPLE)
    params = order.get("params")
    given = {} if params is None else params
    if not isinstance(given, dict):
        raise BadParameter(
            f"params must be an object of names and numbers, got {shortened(given)}"
        )
    count = order.get("count", triggers.OWN_CAST)
    batch = _dashboard(request).fire(scenario_id, count, given)
    return {"batch": batch}


async def explain_trigger_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a refused trigger with its sentence."""
    assert isinstance(error, TriggerError)
    return JSONResponse({"detail": str(error)}, status_code=_STATUS[type(error)])


async def explain_status(request: Request, error: Exception) -> Any:
    """Answer an error in the house style: a page for people, JSON for programs."""
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    sentence = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND and sentence == title:
        sentence = f"There is nothing at {request.url.path}."
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(
            {"detail": sentence}, status_code=error.status_code, headers=error.headers
        )
    return templates.TemplateResponse(
        request,
        "error.html",
        {
            "version": __version__,
            "status": error.status_code,
            "title": title,
            "sentence": sentence,
        },
        status_code=error.status_code,
        headers=dict(error.headers or {}),
    )
