"""Take what the triggers' thread tells, and hold it until the session's loop has time.

Its methods are called in that thread, between two requests of a burst: each is one
append. What is taken out is told to the session and to the batches.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from dashboard.server.streaming import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.server.presses.batches import Batches
    from dashboard.server.session import Session

#: An answer overtakes its own records by at most a frame or two; this is plenty.
ANSWER_PATIENCE_NS = 500_000_000


class _Sent(NamedTuple):
    span_id: int
    t_ns: int
    method: str
    path: str
    scenario: str
    batch: str
    is_other: bool
    stage: str


class TriggerInbox:
    """What was sent, and how it ended, in the order in which it was told."""

    def __init__(
        self, session: Session, batches: Batches, loop_of: Callable[[str], int]
    ) -> None:
        self._session = session
        self._batches = batches
        self._loop_of = loop_of
        self._sent: deque[_Sent] = deque()
        self._over: deque[tuple[int, int, int]] = deque()
        self._answers: deque[tuple[int, int, str]] = deque()
        self._batch_of: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<TriggerInbox {len(self._sent)} sent, {len(self._over)} over>"

    def sent(
        self,
        span_id: int,
        t_ns: int,
        *,
        method: str,
        path: str,
        scenario: str,
        batch: str,
        is_other: bool,
        stage: str,
    ) -> None:
        """A request goes out now."""
        self._sent.append(
            _Sent(span_id, t_ns, method, path, scenario, batch, is_other, stage)
        )

    def answered(self, span_id: int, t_ns: int, status: int, body: bytes) -> None:
        """Its answer is here."""
        sentence = wire.read_detail(body) if status >= 400 else ""
        self._answers.append((span_id, status, sentence))
        self._over.append((t_ns, span_id, status))

    def failed(self, span_id: int, t_ns: int, reason: str) -> None:
        """There will be no answer."""
        self._answers.append((span_id, 0, reason))
        self._over.append((t_ns, span_id, 0))

    def deliver_sent(self) -> None:
        """Tell what was sent."""
        while self._sent:
            sent = self._sent.popleft()
            request = self._session.send(
                sent.span_id,
                sent.t_ns,
                method=sent.method,
                path=sent.path,
                scenario=sent.scenario,
                loop=self._loop_of(sent.stage),
            )
            self._batch_of[sent.span_id] = sent.batch
            self._batches.sent(sent.batch, request, is_other=sent.is_other)

    def deliver_over(self, now_ns: int) -> None:
        """Tell what has been over long enough that its records must be there."""
        while self._answers and self._answers[0][0] in self._batch_of:
            span, status, sentence = self._answers.popleft()
            self._batches.answered(self._batch_of.pop(span), status, sentence)
        while self._over and self._over[0][0] < now_ns - ANSWER_PATIENCE_NS:
            t, span, status = self._over.popleft()
            self._session.settle(span, t, status)
        self._batches.settle()
