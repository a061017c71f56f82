"""Decide who may come in, and what a page of ours may do: a pure ASGI middleware.

A local dashboard must not be driven by any web page that the same browser has
open, nor by anybody who can merely see it. Answers carry a policy that keeps our
own page from loading anything else.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse

from dashboard.visitors import is_same_site

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dashboard.visitors import KnownNames

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
COOKIE = "loopscope_presenter"


class Doors:
    """Refuse unknown names and cross-site writes; add the headers of every answer.

    `token` None: whoever comes in may write. Else writing needs the token, in the
    cookie that the presenter's link gives, or as `Authorization: Bearer`.
    """

    def __init__(
        self, app: ASGIApp, *, names: KnownNames, token: str | None = None
    ) -> None:
        self.app = app
        self._names = names
        self._token = token

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

        answer = self._answer(scope) or self.app
        await answer(scope, receive, send_with_headers)

    def _answer(self, scope: Scope) -> Response | None:
        """Return what to say at the door, or None to let the request in."""
        headers = Headers(scope=scope)
        if headers.get("host", "") not in self._names:
            # Some page may have given its own name our address, to read us.
            return _refuse(400, _explain_name(headers.get("host", "")))
        if scope["method"] in SAFE_METHODS:
            return self._answer_link(scope)
        if not is_same_site(scope):
            return _refuse(
                403, "this page may not send that; use the dashboard's own page"
            )
        if self._token is not None and not self._has_token(headers):
            return _refuse(403, "you may watch; to do more, open the presenter's link")
        return None

    def _answer_link(self, scope: Scope) -> Response | None:
        """Exchange the token of the presenter's link for a cookie."""
        if self._token is None or b"token=" not in scope["query_string"]:
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if not self._is_token(query.get("token", [""])[0]):
            return _refuse(403, "this is not the token of this run; look at its output")
        # Away from the address bar, the history and what is copied from them.
        # With two slashes in front it would be the address of another site.
        own = "/" + scope["path"].lstrip("/")
        answer = RedirectResponse(own, status_code=303)
        answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _has_token(self, headers: Headers) -> bool:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        cookies = cookie_parser(headers.get("cookie", ""))
        return self._is_token(bearer) or self._is_token(cookies.get(COOKIE, ""))

    def _is_token(self, given: str) -> bool:
        known = (self._token or "").encode()
        # Takes as long for a wrong one as for the right one. Empty is never right.
        return bool(known) and hmac.compare_digest(given.encode(), known)


def _refuse(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status_code=status)


def _explain_name(header: str) -> str:
    return (
        f"this dashboard does not go by the name {header[:80]!r}; "
        "start it with --allow-host and that name, without the port"
    )
