"""What the dashboard answers: the page, the stream, the state, the triggers.

Each handler is a few lines over `Dashboard`; nothing here computes anything.
"""

from __future__ import annotations

import importlib
import inspect
import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from fastapi import APIRouter, Header, Request
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.templating import Jinja2Templates
from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException

from dashboard import __version__
from dashboard.demo import stories
from dashboard.errors import (
    BadParameter,
    DemoUnavailable,
    OverBudget,
    TriggerError,
    UnknownScenario,
)
from dashboard.server import triggers

if TYPE_CHECKING:
    from dashboard.server.dashboard import Dashboard

#: A viewer that takes nothing for this long is gone, whatever its socket says.
SEND_TIMEOUT_S = 10.0
COUNTS = (1, 5, 20, 100)
#: A trigger's order has some fifty; to parse this many takes a millisecond.
MAX_BODY_BYTES = 65_536
_STATUS = {
    UnknownScenario: 404,
    BadParameter: 422,
    OverBudget: 429,
    DemoUnavailable: 503,
}

router = APIRouter()


def find_assets(name: str) -> Path:
    """Return the folder of page files: in a wheel beside us, in a checkout above."""
    package = Path(__file__).parent.parent
    beside = package / name
    return beside if beside.is_dir() else package.parent / name


templates = Jinja2Templates(directory=find_assets("templates"))


def _dashboard(request: Request) -> Dashboard:
    dashboard: Dashboard = request.app.state.dashboard
    return dashboard


@router.get("/", response_class=HTMLResponse)
async def page(request: Request) -> Any:
    """Show the page."""
    return templates.TemplateResponse(
        request,
        "index.html",
        {"version": __version__, "demo_url": _dashboard(request).demo_url()},
    )


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the dashboard is up."""
    return {"status": "ok"}


@router.get("/events")
async def events(
    request: Request, last_event_id: Annotated[str | None, Header()] = None
) -> EventSourceResponse:
    """Stream `hello` and then a `frame` 30 times a second (ARCHITECTURE.md)."""
    # The library sets it when the server is told to stop: then the stream ends by
    # itself, where a cancelled one would be reported as an incomplete answer.
    ending = anyio.Event()
    return EventSourceResponse(
        _dashboard(request).stream.watch(last_event_id, is_over=ending.is_set),
        sep="\n",
        send_timeout=SEND_TIMEOUT_S,
        shutdown_event=ending,
        shutdown_grace_period=0.5,
    )


@router.get("/api/state")
async def state(request: Request) -> JSONResponse:
    """Tell what is going on now, and the most recent of what is over."""
    return JSONResponse(_dashboard(request).describe_state())


@router.get("/api/scenarios")
async def scenarios() -> dict[str, Any]:
    """List what the buttons can send."""
    return {
        "counts": COUNTS,
        "max_count": triggers.MAX_COUNT,
        "scenarios": [_describe(scenario) for scenario in stories.SCENARIOS],
    }


def _describe(scenario: stories.Scenario) -> dict[str, Any]:
    return {
        "id": scenario.id,
        "title": scenario.title,
        "subtitle": scenario.subtitle,
        "family": scenario.family,
        "state": scenario.state,
        "path": scenario.path,
        "params": [
            {
                "name": each.name,
                "default": each.default,
                "min": each.minimum,
                "max": each.maximum,
                "unit": each.unit,
            }
            for each in scenario.params
        ],
        "source": _describe_source(scenario.handler),
    }


def _describe_source(handler: str) -> dict[str, Any]:
    """Read the real code of a handler, decorator included, without running it."""
    module, _, function = handler.partition(":")
    found = getattr(importlib.import_module(module), function)
    lines, first = inspect.getsourcelines(found)
    file = Path(inspect.getfile(found))
    return {
        "file": f"{file.parent.name}/{file.name}",
        "line": first,
        "function": function,
        "code": inspect.cleandoc("".join(lines)),
    }


@router.post("/api/trigger/{scenario_id}", status_code=202)
async def trigger(request: Request, scenario_id: str) -> dict[str, str]:
    """Send `count` real requests to the demo app, all at once."""
    if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
        raise BadParameter(
            f"the body must be a JSON object of at most {MAX_BODY_BYTES} bytes, "
            f"got {request.headers['content-length'][:20]}"
        )
    order = _read_order(await request.body())
    params = order.get("params")
    given = {} if params is None else params
    if not isinstance(given, dict):
        raise BadParameter(
            "params must be an object of names and numbers, "
            f"got {stories.shortened(given)}"
        )
    count = order.get("count", 1)
    batch = _dashboard(request).triggers.fire(scenario_id, count, given)
    return {"batch": batch}


def _read_order(body: bytes) -> dict[str, Any]:
    """Read a trigger's body by what it is, not by what its sender calls it.

    `curl -d` says that it sends a form: taking its word, and then the defaults,
    would fire one request where the user asked for five.
    """
    try:
        order = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        order = None
    if isinstance(order, dict) and order.keys() <= {"count", "params"}:
        return order
    raise BadParameter(
        'the body must be a JSON object such as {"count": 5, "params": {"seconds": 1}}, '
        f"got {stories.shortened(body.decode(errors='replace'))}"
    )


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
