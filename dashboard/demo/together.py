"""Several things at once within a request, or between requests that share one thing."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, HTTPException

from dashboard.demo.bounds import bounded

router = APIRouter(tags=["together"])

Seconds = Annotated[float, bounded("awaits_in_a_row", "seconds")]
Held = Annotated[float, bounded("lock_held", "seconds")]
Long = Annotated[float, bounded("timeout_await", "seconds")]
#: After this long the handlers below have waited enough.
PATIENCE_S = 0.3


async def ask(service: str, seconds: float) -> str:
    """Wait for a service's answer."""
    await asyncio.sleep(seconds)
    return service


@router.get("/awaits_in_a_row")
async def awaits_in_a_row(seconds: Seconds = 0.5) -> dict[str, list[str]]:
    """Ask three services, one after the other."""
    user = await ask("user", seconds)
    cart = await ask("cart", seconds)
    prices = await ask("prices", seconds)
    return {"answers": [user, cart, prices]}


@router.get("/awaits_gathered")
async def awaits_gathered(seconds: Seconds = 0.5) -> dict[str, list[str]]:
    """Ask all three at once."""
    answers = await asyncio.gather(
        ask("user", seconds), ask("cart", seconds), ask("prices", seconds)
    )
    return {"answers": list(answers)}


@router.get("/awaits_grouped")
async def awaits_grouped(seconds: Seconds = 0.5) -> dict[str, list[str]]:
    """Ask all three at once; if one fails, the others are cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(ask(service, seconds))
            for service in ("user", "cart", "prices")
        ]
    return {"answers": [task.result() for task in tasks]}


#: Belongs to the one loop of this process.
stock = asyncio.Lock()


@router.get("/lock_across_io")
async def lock_across_io(seconds: Held = 0.3) -> dict[str, str]:
    """Hold the lock while waiting for the network."""
    async with stock:
        await asyncio.sleep(seconds)  # ask the warehouse
        return {"stock": "one less"}


@router.get("/lock_after_io")
async def lock_after_io(seconds: Held = 0.3) -> dict[str, str]:
    """Wait for the network first; hold the lock for what must not be shared."""
    await asyncio.sleep(seconds)  # ask the warehouse
    async with stock:
        return {"stock": "one less"}


@router.get("/timeout_await")
async def timeout_await(seconds: Long = 1) -> dict[str, str]:
    """Give up on something that is awaited: works on time."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.sleep(seconds)
    except TimeoutError:
        raise HTTPException(504, "the service took too long") from None
    return {"service": "answered in time"}


@router.get("/timeout_blocking")
async def timeout_blocking(seconds: Long = 1) -> dict[str, str]:
    """Give up on something that blocks: the timer can only ring afterwards."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            time.sleep(seconds)
            await asyncio.sleep(0)
    except TimeoutError:
        raise HTTPException(504, "the service took too long") from None
    return {"service": "answered in time"}


@router.get("/timeout_thread")
async def timeout_thread(seconds: Long = 1) -> dict[str, str]:
    """Give up on a thread: the answer is on time, the thread goes on to its end."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.to_thread(time.sleep, seconds)
    except TimeoutError:
        raise HTTPException(504, "the service took too long") from None
    return {"service": "answered in time"}


@router.get("/cancelled_task")
async def cancelled_task(seconds: Long = 1) -> dict[str, bool]:
    """Cancel a task that waits: it is told at its `await`, and can tidy up."""
    tidied = []

    async def wait() -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            tidied.append(True)

    task = asyncio.create_task(wait())
    await asyncio.sleep(min(PATIENCE_S, seconds))
    cancelled = task.cancel()
    await asyncio.wait([task])
    return {"cancelled": cancelled, "tidied_up": bool(tidied)}
