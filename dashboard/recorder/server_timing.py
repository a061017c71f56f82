"""Tell a request's times in its answer: the header `Server-Timing`, on demand.

Drives the app's coroutine step by step and takes the time of each, apart from the
recorder: a program that does not ask for the header does not come by here. Nothing
that passes through is changed but the head of the answer.
"""

from __future__ import annotations

from time import monotonic_ns
from types import CoroutineType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from dashboard.recorder.requests import App, Message, Receive, Scope, Send

HEADER = b"server-timing"
#: For those who walk along a task's awaits, see peek.py.
_NAME = "server timing"


def time_answers(app: App) -> App:
    """Return `app` with a `Server-Timing` header in each of its HTTP answers.

    It says, in milliseconds until the answer's head was handed over:

    - `total`: since the app was called with the request;
    - `run`: of these, what the request's own task ran on the loop;
    - `off`: the rest, in which it waited, or a thread worked for it, or it was ready
      and others had the loop. Which of these it was, and what came before the app was
      called, is not known in here; the page tells. Tasks that the request started
      count as waited for.
    """

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        steps = Steps()

        def send_with_times(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (HEADER, steps.told())]
                message = {**message, "headers": headers}
            return send(message)

        steps.follow(app(scope, receive, send_with_times))
        await steps

    return timed


class Steps:
    """Await something, and know how long it ran."""

    # Looks like a coroutine in C to those who walk along the awaits (peek.py): why
    # the app waits is told as if we were not there.
    __slots__ = ("__qualname__", "began_ns", "cr_await", "run_ns", "step_ns")

    def __init__(self) -> None:
        self.__qualname__ = _NAME
        self.cr_await: Any = None
        self.began_ns = self.step_ns = monotonic_ns()
        self.run_ns = 0
        """Of all steps that are over."""

    def __repr__(self) -> str:
        return f"<Steps of {self.cr_await!r}, {self.run_ns / 1e6:g} ms>"

    def follow(self, awaitable: Awaitable[None]) -> None:
        """Take what is to be awaited."""
        is_coroutine = type(awaitable) is CoroutineType
        self.cr_await = awaitable if is_coroutine else awaitable.__await__()

    def told(self) -> bytes:
        """Return the header's value, as of now, in the middle of a step."""
        now_ns = monotonic_ns()
        total_ms = (now_ns - self.began_ns) / 1e6
        run_ms = (self.run_ns + now_ns - self.step_ns) / 1e6
        # Each to a microsecond, the last so that they add up.
        off_ms = round(total_ms, 3) - round(run_ms, 3)
        return (
            f"total;dur={total_ms:.3f}, run;dur={run_ms:.3f}, "
            f'off;dur={off_ms:.3f};desc="waiting, in a thread or ready"'
        ).encode()

    def __await__(self) -> Any:  # an iterator that can be sent to, as generators can
        return self

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Let it run until it waits again, or is over."""
        self.step_ns = monotonic_ns()
        try:
            return self.cr_await.send(value)
        finally:
            self.run_ns += monotonic_ns() - self.step_ns

    def throw(self, *error: Any) -> Any:
        """Let it run on with an exception, as a cancellation is."""
        self.step_ns = monotonic_ns()
        try:
            return self.cr_await.throw(*error)
        finally:
            self.run_ns += monotonic_ns() - self.step_ns

    def close(self) -> None:
        """End it, as its task is given up."""
        self.cr_await.close()
