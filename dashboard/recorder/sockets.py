"""Record WebSockets as requests that stay: asked for, accepted, closed.

Messages are not recorded, only the steps that they cause. Cold: once per connection,
so a frame of ours around the app does no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.records import FROM_WEBSOCKET, Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from dashboard.recorder.recorder import Recorder
    from dashboard.recorder.requests import App, Message, Receive, Scope, Send

#: What HTTP says when it becomes something else, and when a door stays closed.
SWITCHED, REFUSED = 101, 403


def open_socket(
    rec: Recorder,
    number: int,
    app: App,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> Awaitable[None]:
    """Record a connection as request `number`; return what serves it."""
    rec.ring.write(
        Kind.REQUEST, rec.now_ns(), FROM_WEBSOCKET, number, max(rec.current, 0)
    )
    status = REFUSED
    is_over = False

    def tell(kind: Kind) -> None:
        if not rec.enabled:
            return
        try:
            path = getattr(scope.get("route"), "path", None)
            route = "(no route)" if path is None else scope.get("root_path", "") + path
            rec.ring.write(kind, rec.now_ns(), status, number, rec.intern("WS", route))
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            rec.fail(error)

    def end() -> None:
        nonlocal is_over
        if not is_over:
            is_over = True
            tell(Kind.ANSWERED)

    async def recorded_send(message: Message) -> None:
        nonlocal status
        if message["type"] == "websocket.accept":
            status = SWITCHED
            tell(Kind.REQUEST_NAME)
            tell(Kind.RESPONSE)
        elif message["type"] == "websocket.close":
            end()
        await send(message)

    async def recorded_receive() -> Message:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            end()
        return message

    async def serve() -> None:
        try:
            await app(scope, recorded_receive, recorded_send)
        finally:
            end()

    return serve()
