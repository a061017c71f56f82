"""Serve the demo app: an ordinary FastAPI app, observed the way any app would be.

It knows nothing of the dashboard. All that sets it apart from your app is that
its handlers make mistakes on purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dashboard import __version__, observe
from dashboard.demo import basics
from dashboard.demo.bounds import explain_refusal

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import ASGIApp


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
        },
    )
    app.include_router(basics.router)
    app.add_api_route("/healthz", healthz)
    observed: ASGIApp = observe(app)
    return observed


async def healthz() -> dict[str, str]:
    """Say that the app is up; the answer waits for its turn like any other."""
    return {"status": "ok"}


async def _explain_status(request: Request, error: Exception) -> JSONResponse:
    # Typed for any exception because Starlette registers handlers so.
    if TYPE_CHECKING:
        assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404:
        detail = (
            f"there is nothing at {request.url.path}; GET /openapi.json lists what is"
        )
    return JSONResponse(
        {"detail": detail}, status_code=error.status_code, headers=error.headers
    )
