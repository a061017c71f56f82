"""Work for a processor, in the loop, in a thread, in a process.

An amount of work is given in seconds of one core, not of the clock: two threads
that share the interpreter's lock take twice as long for it, and show that.
"""

import asyncio
import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Annotated

from fastapi import APIRouter

from dashboard.demo import lifeline
from dashboard.demo.bounds import bounded
from dashboard.demo.work import work

router = APIRouter(tags=["compute"])

Seconds = Annotated[float, bounded("blocking_cpu", "seconds")]
Length = Annotated[int, bounded("blocking_regex", "length")]
Millions = Annotated[int, bounded("blocking_c", "millions")]


@router.get("/blocking_cpu")
async def blocking_cpu(seconds: Seconds = 1) -> dict[str, int]:
    """Compute in Python, on the loop."""
    return {"rounds": work(seconds)}


@router.get("/threaded_cpu")
def threaded_cpu(seconds: Seconds = 1) -> dict[str, int]:
    """Compute in a thread, which needs the same interpreter lock as the loop."""
    return {"rounds": work(seconds)}


@router.get("/process_cpu")
async def process_cpu(seconds: Seconds = 1) -> dict[str, int]:
    """Compute in another process, which has an interpreter of its own."""
    loop = asyncio.get_running_loop()
    return {"rounds": await loop.run_in_executor(pool(), work, seconds)}


@cache
def pool() -> ProcessPoolExecutor:
    """Make the two workers, once; they end with this process."""
    lifeline.end_quietly()
    return ProcessPoolExecutor(
        max_workers=2,
        # A copy of a process that has threads may hang: begin from nothing.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=lifeline.end_with_parent,
    )


@router.get("/polite_cpu")
async def polite_cpu(seconds: Seconds = 1) -> dict[str, int]:
    """Compute on the loop, and give way every ten milliseconds."""
    rounds = 0
    for _ in range(int(seconds / 0.01)):
        rounds += work(0.01)
        await asyncio.sleep(0)
    return {"rounds": rounds}


@router.get("/awaiting_cpu")
async def awaiting_cpu(seconds: Seconds = 1) -> dict[str, int]:
    """Compute on the loop, and await something that never has to wait."""
    rounds = 0
    for _ in range(int(seconds / 0.01)):
        rounds += await compute(0.01)
    return {"rounds": rounds}


async def compute(seconds: float) -> int:
    """Compute in a coroutine that waits for nothing."""
    return work(seconds)


@router.get("/blocking_regex")
async def blocking_regex(length: Length = 25) -> dict[str, bool]:
    """Match a pattern that tries every way to cut the text into pieces."""
    return {"matches": bool(re.match(r"(a+)+$", "a" * length + "!"))}


@router.get("/linear_regex")
async def linear_regex(length: Length = 25) -> dict[str, bool]:
    """Ask the same without the nested repetition."""
    return {"matches": bool(re.match(r"a+$", "a" * length + "!"))}


@router.get("/blocking_c")
async def blocking_c(millions: Millions = 60) -> dict[str, int]:
    """Make one call into C that keeps the interpreter's lock to its end."""
    return {"sum": sum(range(millions * 1_000_000))}


@router.get("/threaded_c")
def threaded_c(millions: Millions = 60) -> dict[str, int]:
    """Make the same call in a thread: it keeps the lock there as well."""
    return {"sum": sum(range(millions * 1_000_000))}


@router.get("/process_c")
async def process_c(millions: Millions = 60) -> dict[str, int]:
    """Make the same call in another process."""
    loop = asyncio.get_running_loop()
    numbers = range(millions * 1_000_000)
    return {"sum": await loop.run_in_executor(pool(), sum, numbers)}
