"""The ASGI door: `uvicorn dashboard.app:app`, or `create_app(settings)` in code."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from dashboard import __version__
from dashboard.errors import TriggerError
from dashboard.server.dashboard import Dashboard
from dashboard.server.routes import (
    compare_routes,
    experiment_routes,
    export_routes,
    handout_routes,
    page_routes,
    recording_routes,
    stall_routes,
    story_routes,
)
from dashboard.server.routes.assets import Assets
from dashboard.server.routes.doors import Doors
from dashboard.server.settings import Settings
from dashboard.visitors import KnownNames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dashboard.server.recordings.opening import Opened


def create_app(
    settings: Settings | None = None,
    opened: Opened | None = None,
    beside: Opened | None = None,
) -> FastAPI:
    """Build the dashboard; without settings they come from the environment.

    With a recording that was opened it shows that, and nothing else; with one
    `beside` it, both on one axis as well.

    Raises:
        SettingsError: an environment variable makes no sense, or the packages for
            what it asks for are missing.
        RingError: the folder for rings cannot be used.
    """
    settings = settings or Settings.from_env()
    if settings.otlp:
        # An extra: whether it is there is said before a server starts.
        import_module("dashboard.server.exports.otlp")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        dashboard = Dashboard(settings, opened)
        app.state.dashboard = dashboard
        app.state.beside = beside
        async with dashboard.running():
            yield

    app = FastAPI(
        title="Loopscope",
        version=__version__,
        lifespan=lifespan,
        # Their pages load scripts from elsewhere, which our own policy forbids.
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(page_routes.router)
    app.include_router(stall_routes.router, dependencies=[page_routes.WHOLE])
    app.include_router(recording_routes.router, dependencies=[page_routes.WHOLE])
    app.include_router(compare_routes.router)
    app.include_router(story_routes.router)
    app.include_router(experiment_routes.router)
    app.include_router(export_routes.router, dependencies=[page_routes.WHOLE])
    app.include_router(handout_routes.router, dependencies=[page_routes.WHOLE])
    app.mount("/static", Assets(directory=page_routes.find_assets("static")))
    app.add_exception_handler(TriggerError, page_routes.explain_trigger_error)
    app.add_exception_handler(HTTPException, page_routes.explain_status)
    app.add_middleware(
        Doors,
        names=KnownNames(settings.host, settings.allow_hosts),
        token=settings.token if settings.is_open_to_others else None,
    )
    return app


def __getattr__(name: str) -> object:
    # Made when a server asks for it, not when someone imports `create_app`.
    if name == "app":
        return create_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
