"""Work that goes on when the answer is out: background tasks and a task queue."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, HTTPException

from dashboard.demo import extras
from dashboard.demo.bounds import bounded, reaching
from dashboard.demo.work import work

try:
    # At the start, not with the first task: it takes a third of a second.
    from dashboard.demo import task_queue
except ImportError:
    task_queue = None  # type: ignore[assignment]

router = APIRouter(tags=["afterwards"])

Seconds = Annotated[float, bounded("background_sync", "seconds")]
Work = Annotated[float, bounded("queue_celery", "seconds")]


def send_mail(seconds: float) -> None:
    """Send a mail, the way an ordinary library does."""
    time.sleep(seconds)


async def send_mail_async(seconds: float) -> None:
    """Send a mail with a library made for asyncio."""
    await asyncio.sleep(seconds)


async def send_mail_badly(seconds: float) -> None:
    """Send a mail from `async def` with the ordinary library."""
    send_mail(seconds)


@router.get("/background_sync")
async def background_sync(
    background: BackgroundTasks, seconds: Seconds = 1
) -> dict[str, str]:
    """Answer; then a worker thread sends the mail."""
    background.add_task(send_mail, seconds)
    return {"mail": "on its way"}


@router.get("/background_async")
async def background_async(
    background: BackgroundTasks, seconds: Seconds = 1
) -> dict[str, str]:
    """Answer; then the loop sends the mail, and serves others meanwhile."""
    background.add_task(send_mail_async, seconds)
    return {"mail": "on its way"}


@router.get("/background_blocking")
async def background_blocking(
    background: BackgroundTasks, seconds: Seconds = 1
) -> dict[str, str]:
    """Answer; then hold the loop: who asks next pays for this mail."""
    background.add_task(send_mail_badly, seconds)
    return {"mail": "on its way"}


@router.get("/queue_background")
async def queue_background(
    background: BackgroundTasks, seconds: Work = 1
) -> dict[str, str]:
    """Answer; then compute in a thread of the same process."""
    background.add_task(work, seconds)
    return {"report": "in this process"}


@router.get("/queue_celery")
def queue_celery(seconds: Work = 1) -> dict[str, str]:
    """Put the work into a queue that another process empties; answer."""
    if task_queue is None:
        raise HTTPException(503, extras.missing("celery"))
    with reaching("the queue's broker"):
        return {"report": task_queue.put(seconds)}


@router.get("/queue_result/{task_id}")
def queue_result(task_id: str) -> dict[str, object]:
    """Say what became of queued work, and which process did it."""
    if task_queue is None:
        raise HTTPException(503, extras.missing("celery"))
    if not task_id.replace("-", "").isalnum():
        raise HTTPException(422, "a task id is made of letters, digits and dashes")
    return task_queue.look_up(task_id)
