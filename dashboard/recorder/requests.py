"""Tell which request a task, callback or thread works for: a pure ASGI middleware.

It numbers requests, sets one context variable that everything below inherits,
and records begin, name, trace, answer and end. It changes nothing in what passes
through, and when recording is off it is one attribute look-up.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from dashboard.recorder.recorder import Recorder, current_request
from dashboard.records import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

next_request = itertools.count(1).__next__


class RequestMiddleware:
    """Wrap an ASGI app: `recorder_of()` gives the running loop's recorder or None.

    Lifespan events pass through `on_startup` and `on_shutdown`, which begin and
    end the recording of the loop that serves the app.
    """

    def __init__(
        self,
        app: App,
        *,
        recorder_of: Callable[[], Recorder | None],
        on_startup: Callable[[Any], None],
        on_shutdown: Callable[[], None],
    ) -> None:
        self.app = app
        self._recorder_of = recorder_of
        self._on_startup = on_startup
        self._on_shutdown = on_shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            self._on_startup(scope.get("app"))
            try:
                await self.app(scope, receive, send)
            finally:
                self._on_shutdown()
            return
        recorder = self._recorder_of()
        if kind != "http" or recorder is None or not recorder.enabled:
            await self.app(scope, receive, send)
            return
        request = RecordedRequest(recorder, scope, send)
        # The context is this request's task's own, but a server may reuse it.
        token = current_request.set(request.no)
        try:
            await self.app(scope, receive, request.send)
        finally:
            request.end()
            try:
                current_request.reset(token)
            except ValueError:
                # An app that was closed from another context: nothing to undo.
                current_request.set(0)


class RecordedRequest:
    """One request on its way through the app."""

    __slots__ = ("_answered", "_named", "_recorder", "_scope", "_send", "_status", "no")

    def __init__(self, recorder: Recorder, scope: Scope, send: Send) -> None:
        self.no = next_request()
        self._recorder = recorder
        self._scope = scope
        self._send = send
        self._status = 0
        self._answered = False
        self._named = False
        try:
            for name, value in scope["headers"]:
                if name == b"traceparent":
                    self._note_trace(value)
                    break
            recorder.ring.write(
                Kind.REQUEST,
                recorder.now_ns(),
                int(recorder.first_step),
                self.no,
                max(recorder.current, 0),
            )
            recorder.requests[self.no] = self
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            recorder.fail(error)

    def _note_trace(self, value: bytes) -> None:
        """Record a W3C traceparent (`00-<trace id>-<span id>-<flags>`), if it is one."""
        parts = value.split(b"-")
        if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
            return
        try:
            trace = int.from_bytes(bytes.fromhex(parts[1][16:].decode()), signed=True)
            span = int.from_bytes(bytes.fromhex(parts[2].decode()), signed=True)
        except ValueError:
            return
        self._recorder.ring.write(Kind.REQUEST_TRACE, trace, span, self.no, 0)

    def note_name(self, *, last: bool = False) -> None:
        """Record method and route template as soon as the router has set it.

        A path is never recorded: it may carry what a user typed. Requests that no
        route takes are named `no route`.
        """
        if self._named:
            return
        route = getattr(self._scope.get("route"), "path", None)
        if not isinstance(route, str):
            if not last:
                return
            route = "(no route)"
        self._named = True
        method = self._scope.get("method", "")
        recorder = self._recorder
        recorder.ring.write(
            Kind.REQUEST_NAME, 0, 0, self.no, recorder.intern(method, route)
        )

    async def send(self, message: Message) -> None:
        """Pass a message on; note when the answer begins and when it is complete."""
        recorder = self._recorder
        kind = message["type"]
        if kind == "http.response.start":
            try:
                self._status = int(message["status"])
                self.note_name()
                recorder.ring.write(
                    Kind.RESPONSE, recorder.now_ns(), self._status, self.no, 0
                )
            except Exception as error:  # noqa: BLE001 - nothing may reach the app
                recorder.fail(error)
            await self._send(message)
            return
        await self._send(message)
        if kind == "http.response.body" and not message.get("more_body", False):
            self._answer()

    def _answer(self) -> None:
        if self._answered:
            return
        self._answered = True
        recorder = self._recorder
        try:
            self.note_name(last=True)
            recorder.ring.write(
                Kind.ANSWERED, recorder.now_ns(), self._status, self.no, 0
            )
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            recorder.fail(error)

    def end(self) -> None:
        """Record that the request left the app, answered or not."""
        recorder = self._recorder
        try:
            recorder.requests.pop(self.no, None)
            self._answer()
            recorder.ring.write(Kind.REQUEST_END, recorder.now_ns(), 0, self.no, 0)
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            recorder.fail(error)
