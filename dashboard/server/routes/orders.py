"""Read what somebody orders: the JSON object in the body of a POST.

No other body is read but a dropped file (`drops.py`); each POST has its order here, under one bound.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dashboard.demo.scenario import shortened
from dashboard.errors import BadParameter

if TYPE_CHECKING:
    from starlette.requests import Request

#: An order has some fifty; to parse this many takes a millisecond.
MAX_BODY_BYTES = 65_536


async def read_order(request: Request, names: set[str], example: str) -> dict[str, Any]:
    """Read a body by what it is, not by what its sender calls it. Empty is `{}`.

    `curl -d` says that it sends a form: taking its word, and then the defaults,
    would fire one request where the user asked for five.

    Raises:
        BadParameter: it is too large, no JSON object, or has other names.
    """
    body = await _read(request)
    try:
        order = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        order = None
    if isinstance(order, dict) and order.keys() <= names:
        return order
    raise BadParameter(
        f"the body must be a JSON object such as {example}, "
        f"got {shortened(body.decode(errors='replace'))}"
    )


async def _read(request: Request) -> bytes:
    """Count what comes: a body in chunks does not say how long it will be."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadParameter(
                f"the body must be a JSON object of at most {MAX_BODY_BYTES} bytes; "
                "this one has more"
            )
    return bytes(body)
