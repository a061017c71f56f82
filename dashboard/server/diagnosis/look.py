"""What a rule is shown of a loop, and what it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dashboard.server.diagnosis.remedies import Remedy
    from dashboard.server.model.effort import Share
    from dashboard.server.model.incidents import Incident
    from dashboard.server.model.observed import ObservedLoop
    from dashboard.server.model.request import Request
    from dashboard.server.model.stall import Stall
    from dashboard.server.reading.names import Place


#: Of what counts what happened in a minute, which goes on.
LATELY = "in the last minute"


class Hit(NamedTuple):
    """Something that a rule has found."""

    subject: str
    """What it is about: two hits of one subject are one finding."""
    sentence: str
    action: str
    weight_ms: float
    """How much it costs, to tell what matters most."""
    at_ns: int = 0
    """When it was last so; 0: it is so now."""
    place: Place | None = None
    where: str = ""
    """`file:line in function`, where that is all that is known of the place."""
    stall: int = 0
    request: int = 0
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One loop, as the model knows it now."""

    loop: ObservedLoop
    now_ns: int
    span_ns: int
    """How long the shares of time were counted for."""
    shares: Sequence[Share]
    label: Callable[[int], str]
    """The words of a share's label."""
    cpu: float = 0.0
    """Processors used by threads that are neither the loop's nor ours."""
    stalls: Sequence[Stall] = ()
    """Of this loop, ended or not, that changed in the last minute."""
    requests: Sequence[Request] = ()
    """Of this loop, finished in the last minute."""
    incidents: Sequence[Incident] = ()
    """Of this loop, of the last minute."""
    busy: float = 0.0
    """Share of the span in which the loop ran something."""
    starved: float = 0.0
    """Share of the span in which its thread waited for a processor."""
    remedy: Callable[[Stall], Remedy | None] = lambda _: None
    """What to write instead of what a stall was seen at; `NOT_YET` while it is
    looked for."""
    are_all_stalls: bool = True
    """Whether those are all: only so many are kept, over all loops."""


class Rule(NamedTuple):
    """One question, and how sure one must be to say yes."""

    id: str
    title: str
    check: Callable[[Look], Iterator[Hit]]
    looks: int = 1
    """So many looks in a row must agree; until then the answer is *ask later*."""
    is_of_stalls: bool = False
    """Asked once more of a loop that is over: its last step may be to blame for that."""
