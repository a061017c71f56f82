"""The four basic handlers; each is shown to the audience just as it stands here.

They do nothing but their lesson. What keeps them harmless is in their types,
which take the bounds from `stories`.
"""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter

from dashboard.demo.bounds import bounded

router = APIRouter(tags=["basics"])

SlowSeconds = Annotated[float, bounded("slow", "seconds")]
BlockingSeconds = Annotated[float, bounded("blocking", "seconds")]
ThreadedSeconds = Annotated[float, bounded("threaded", "seconds")]


@router.get("/fast")
async def fast() -> dict[str, str]:
    """Answer at once."""
    return {"message": "This is fast!"}


@router.get("/slow")
async def slow(seconds: SlowSeconds = 1) -> dict[str, float]:
    """Wait, and let the loop serve others meanwhile."""
    await asyncio.sleep(seconds)
    return {"slept": seconds}


@router.get("/blocking")
async def blocking(seconds: BlockingSeconds = 2) -> dict[str, float]:
    """Wait, and let nobody do anything meanwhile."""
    time.sleep(seconds)
    return {"blocked": seconds}


@router.get("/threaded")
def threaded(seconds: ThreadedSeconds = 1) -> dict[str, float]:
    """Wait in a worker thread; the loop is free."""
    time.sleep(seconds)
    return {"slept": seconds}
