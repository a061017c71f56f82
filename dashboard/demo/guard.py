"""Let nobody press the demo app's endpoints but who meant to: a pure ASGI middleware.

Its GETs block a loop and write files, on purpose. A page of somebody else, open in
the same browser, could press them with an `<img>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from dashboard.visitors import KnownNames, is_same_site

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

#: Nothing happens at these; the dashboard's page links to the first.
HARMLESS = frozenset({"/openapi.json", "/healthz"})


class Guard:
    """Refuse unknown names (400) and the pages of other sites (403) with a sentence.

    Any address is known, whichever one we listen on: it can be no other site's name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._names = KnownNames("")

    # Not async: it would be a frame of the user's in the stack of every request.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer at the door, or hand the request on."""
        answer = self._refuse(scope) if scope["type"] in ("http", "websocket") else None
        return (answer or self.app)(scope, receive, send)

    def _refuse(self, scope: Scope) -> JSONResponse | None:
        name = Headers(scope=scope).get("host", "")
        if name not in self._names:
            return _say(
                400,
                f"the demo app does not go by the name {name[:80]!r}; "
                "call it by its address or as localhost",
            )
        if scope["path"] not in HARMLESS and not is_same_site(scope):
            return _say(
                403,
                "the page of another site may not press this; use the dashboard, "
                "curl or the address bar",
            )
        return None


def _say(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status_code=status)
