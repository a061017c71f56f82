"""A function that blocks, and the ways to run it beside the loop."""

import asyncio
import time
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool

from dashboard.demo.bounds import bounded

router = APIRouter(tags=["offload"])

Seconds = Annotated[float, bounded("sync_in_async", "seconds")]
Short = Annotated[float, bounded("tokens_40", "seconds")]


def fetch_report(seconds: float) -> dict[str, float]:
    """Wait for a report, the way an ordinary library does."""
    time.sleep(seconds)
    return {"waited": seconds}


@router.get("/sync_in_async")
async def sync_in_async(seconds: Seconds = 1) -> dict[str, float]:
    """Call a sync function from `async def`: nobody puts that into a thread."""
    return fetch_report(seconds)


@router.get("/in_threadpool")
async def in_threadpool(seconds: Seconds = 1) -> dict[str, float]:
    """Ask for the thread that FastAPI would use for a `def` handler."""
    return await run_in_threadpool(fetch_report, seconds)


@router.get("/by_anyio")
async def by_anyio(seconds: Seconds = 1) -> dict[str, float]:
    """Ask anyio for a thread: 40 at a time, shared with `def` handlers."""
    return await to_thread.run_sync(fetch_report, seconds)


@router.get("/by_asyncio")
async def by_asyncio(seconds: Seconds = 1) -> dict[str, float]:
    """Ask asyncio for a thread; context variables go along."""
    return await asyncio.to_thread(fetch_report, seconds)


@router.get("/by_executor")
async def by_executor(seconds: Seconds = 1) -> dict[str, float]:
    """Ask the loop for a thread of its default executor."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, fetch_report, seconds)


@router.get("/tokens_40")
def tokens_40(seconds: Short = 0.5) -> dict[str, float]:
    """Hold one of the 40 thread tokens while waiting."""
    time.sleep(seconds)
    return {"waited": seconds}


#: Sixty threads of its own; the loop that first waits for it owns it.
reports = CapacityLimiter(60)


@router.get("/tokens_60")
async def tokens_60(seconds: Short = 0.5) -> dict[str, float]:
    """Wait in a thread, with a limit that belongs to this work alone."""
    await to_thread.run_sync(time.sleep, seconds, limiter=reports)
    return {"waited": seconds}


@router.get("/tokens_none")
async def tokens_none(seconds: Short = 0.5) -> dict[str, float]:
    """Wait without a thread, and so without a token."""
    await asyncio.sleep(seconds)
    return {"waited": seconds}
