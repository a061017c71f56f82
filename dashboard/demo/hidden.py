"""What happens around a handler and is not seen in it: dependencies and middleware."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

router = APIRouter(tags=["hidden"])
LAYERS = 5


def get_settings() -> str:
    """Give the settings; sync, so it runs in a worker thread."""
    return "settings"


def get_session() -> Iterator[str]:
    """Give a session and close it; sync, so each half runs in a worker thread."""
    yield "session"


async def get_settings_async() -> str:
    """Give the settings, on the loop."""
    return "settings"


async def get_session_async() -> AsyncIterator[str]:
    """Give a session and close it, on the loop."""
    yield "session"


@router.get("/depends_sync")
async def depends_sync(
    settings: Annotated[str, Depends(get_settings)],
    session: Annotated[str, Depends(get_session)],
) -> dict[str, list[str]]:
    """Answer at once, after three trips to a worker thread."""
    return {"depends_on": [settings, session]}


@router.get("/depends_async")
async def depends_async(
    settings: Annotated[str, Depends(get_settings_async)],
    session: Annotated[str, Depends(get_session_async)],
) -> dict[str, list[str]]:
    """Answer at once, without any."""
    return {"depends_on": [settings, session]}


class BaseLayer(BaseHTTPMiddleware):
    """A middleware in the easy style: a task and a stream for each request."""

    async def dispatch(
        self, request: Request, call_next: RequestResponseEndpoint
    ) -> Response:
        response = await call_next(request)
        response.headers["x-layer"] = "base"
        return response


class PureLayer:
    """The same as plain ASGI: a function around a function."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-layer", b"pure"))
            await send(message)

        await self.app(scope, receive, send_with_header)


# Any: whatever FastAPI's own route takes is handed on.
class BaseLayers(APIRoute):
    """A route with five of the easy ones around it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.layered: ASGIApp = super().handle
        for _ in range(LAYERS):
            self.layered = BaseLayer(self.layered)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.layered(scope, receive, send)


class PureLayers(APIRoute):
    """A route with five of the plain ones around it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.layered: ASGIApp = super().handle
        for _ in range(LAYERS):
            self.layered = PureLayer(self.layered)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.layered(scope, receive, send)


in_base_layers = APIRouter(tags=["hidden"], route_class=BaseLayers)
in_pure_layers = APIRouter(tags=["hidden"], route_class=PureLayers)


@in_base_layers.get("/layers_base")
async def layers_base() -> dict[str, str]:
    """Answer at once, through five layers of BaseHTTPMiddleware."""
    return {"message": "This is fast!"}


@in_pure_layers.get("/layers_pure")
async def layers_pure() -> dict[str, str]:
    """Answer at once, through five layers of plain ASGI."""
    return {"message": "This is fast!"}
