"""Do what a library does at its first use only, before anybody looks: no lesson is about it.

In a loop of its own, in a thread of its own, both over before the app's loop is recorded.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import anyio
import httpx
from anyio import to_thread

from dashboard.demo.neighbours import upstream

#: Longer than that no start waits for it.
PATIENCE_S = 2


def warm_up() -> None:
    """Let anyio and httpx import what they put off; some 60 ms of computing."""
    thread = threading.Thread(
        target=anyio.run, args=[_use], name="warm-up", daemon=True
    )
    thread.start()
    thread.join(PATIENCE_S)


async def _use() -> None:
    await to_thread.run_sync(time.monotonic)
    # Whatever proxy somebody has: it is about this process alone.
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:
        with suppress(httpx.HTTPError):
            await client.get(f"{upstream()}/?seconds=0")
