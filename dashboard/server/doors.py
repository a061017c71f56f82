"""Decide who may come in, and what a page of ours may do: a pure ASGI middleware.

A local dashboard must not be driven by any web page that the same browser has
open. Answers carry a policy that keeps our own page from loading anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class Doors:
    """Refuse cross-site writes; add the headers that every answer has."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", POLICY)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
            await send(message)

        if scope["method"] in SAFE_METHODS or is_same_site(scope):
            await self.app(scope, receive, send_with_headers)
            return
        refusal = JSONResponse(
            {"detail": "this page may not send that; use the dashboard's own page"},
            status_code=403,
        )
        await refusal(scope, receive, send_with_headers)


def is_same_site(scope: Scope) -> bool:
    """Say whether a request comes from our own page, or from no page at all.

    Browsers tell in `Sec-Fetch-Site`; older ones at least send `Origin`. A tool
    such as curl sends neither.
    """
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        # No browser sends an address like this.
        return False
