"""Serve the demo app: an ordinary FastAPI app, observed the way any app would be.

It knows nothing of the dashboard. All that sets it apart from your app is that
its handlers make mistakes on purpose.
"""

from __future__ import annotations

import os
import tempfile
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dashboard import __version__, observe, phases
from dashboard.demo import (
    afterwards,
    articles,
    basics,
    compute,
    disk,
    hidden,
    neighbours,
    offload,
    together,
    yours_running,
)
from dashboard.demo.bounds import explain_refusal
from dashboard.demo.guard import Guard
from dashboard.errors import RecorderError

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import ASGIApp, Scope

ROUTERS = (
    basics.router,
    articles.router,
    offload.router,
    compute.router,
    neighbours.router,
    together.router,
    afterwards.router,
    hidden.router,
    hidden.in_base_layers,
    hidden.in_pure_layers,
)

#: What the load generator calls itself.
LOAD = b"loopscope-loadgen"


def create_app() -> ASGIApp:
    """Build the demo app, with recording already attached."""
    app = FastAPI(
        title="loopscope demo",
        version=__version__,
        # Its pages load scripts from a CDN; this must work offline.
        docs_url=None,
        redoc_url=None,
        exception_handlers={
            RequestValidationError: explain_refusal,
            HTTPException: _explain_status,
            OSError: _explain_disk,
            MemoryError: _explain_disk,
        },
        telemetry=_telemetry(),
    )
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(articles.writing, dependencies=[Depends(disk.has_room)])
    app.add_api_route("/healthz", healthz)
    for scenario, handler in yours_running.find_handlers(os.environ):
        app.add_api_route(
            scenario.path,
            handler,
            dependencies=[Depends(yours_running.bounds_of(scenario))],
            tags=["yours"],
        )
    return Guard(observe(app))


def _telemetry() -> Any:
    """Have FastAPI tell the phases of each request, if this release of it can.

    Of a load nobody looks at one request, and telling costs the server a third more.
    """
    try:
        return {**phases(), "exclude": _is_load}
    except RecorderError:
        return None


def _is_load(scope: Scope) -> bool:
    return (b"user-agent", LOAD) in scope["headers"]


async def healthz() -> dict[str, str]:
    """Say that the app is up; the answer waits for its turn like any other."""
    return {"status": "ok"}


async def _explain_status(request: Request, error: Exception) -> JSONResponse:
    # Typed for any exception because Starlette registers handlers so.
    if TYPE_CHECKING:
        assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = (
            f"there is nothing at {request.url.path}; GET /openapi.json lists what is"
        )
    return JSONResponse(
        {"detail": detail}, status_code=error.status_code, headers=error.headers
    )


async def _explain_disk(request: Request, error: Exception) -> JSONResponse:
    """Say what the system refused: the disk is full, a folder cannot be written."""
    reason = getattr(error, "strerror", None) or str(error) or "out of memory"
    folder = getattr(error, "filename", None) or tempfile.gettempdir()
    return JSONResponse(
        {
            "detail": f"the system refused it: {reason} (temporary files go to "
            f"{folder}); make room there, or start with TMPDIR set to another folder"
        },
        status_code=HTTPStatus.INSUFFICIENT_STORAGE,
    )
