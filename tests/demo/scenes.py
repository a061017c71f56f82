"""Scenes for the rules: what each is to find, and something near it that is no harm.

Read and served by the product like anybody's stories. The loops last until somebody
says `enough`, so that a slow machine has the time that it needs.
"""

import asyncio
import contextlib
import gc
import threading
import time
from dataclasses import dataclass

#: Longer than any test waits.
AT_MOST_S = 60


@dataclass
class Turn:
    """Until when the scene that is on goes on; one process has one loop of ours."""

    is_over: bool = False


turn = Turn()


async def enough():
    """End the scene that is on."""
    turn.is_over = True


async def until_enough(share, piece_s=0.001):
    """Keep the loop busy for this share of the time, in small pieces."""
    turn.is_over = False
    end = time.monotonic() + AT_MOST_S
    while not turn.is_over and time.monotonic() < end:
        began = time.monotonic()
        while time.monotonic() < began + piece_s:
            pass
        await asyncio.sleep(piece_s * (1 - share) / share if share < 1 else 0)


async def parse_rows():
    """Take all of the loop's time in pieces of a millisecond."""
    await until_enough(1)


async def parse_some_rows():
    """Take half of it."""
    await until_enough(0.5)


async def spin():
    """Look over and over whether it is time, giving way in between."""
    turn.is_over = False
    end = time.monotonic() + AT_MOST_S
    while not turn.is_over and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def look_now_and_then():
    """Look fifty times a second."""
    turn.is_over = False
    end = time.monotonic() + AT_MOST_S
    while not turn.is_over and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def fail():
    """Fail after a moment."""
    await asyncio.sleep(0.01)
    raise ValueError("nobody will know")


async def lose_an_error():
    """Start a task, wait for its end, and never ask how it went."""
    await asyncio.wait([asyncio.create_task(fail())])


async def ask_for_an_error():
    """Start the same task, and ask."""
    with contextlib.suppress(ValueError):
        await asyncio.create_task(fail())


async def wait_for_nobody():
    """Wait for what nobody else knows of."""
    await asyncio.get_running_loop().create_future()


async def forget_a_task():
    """Start a task that only itself keeps alive."""
    # So that the collector has little to look through, and makes no pause.
    gc.freeze()
    asyncio.create_task(wait_for_nobody())  # noqa: RUF006
    await asyncio.sleep(0.01)
    gc.collect()
    gc.unfreeze()


async def end_a_task():
    """Start the same task, keep it, and end it."""
    task = asyncio.create_task(wait_for_nobody())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])


def pause():
    """Have the collector walk over a million things that refer to things."""
    kept = [[each] for each in range(1_000_000)]
    gc.collect()
    return len(kept)


def pause_shortly():
    """Have it look at what is young only."""
    gc.freeze()
    gc.collect()
    gc.unfreeze()


def compute():
    """Compute in a worker thread."""
    turn.is_over = False
    end = time.monotonic() + AT_MOST_S
    while not turn.is_over and time.monotonic() < end:
        sum(range(1000))


def sleep_in_a_thread():
    """Wait in a worker thread."""
    turn.is_over = False
    end = time.monotonic() + AT_MOST_S
    pause = threading.Event()
    while not turn.is_over and time.monotonic() < end:
        pause.wait(0.02)


STORIES = [
    {
        "id": "scenes",
        "title": "Scenes for the rules",
        "question": "Which rule says yes?",
        "look": "the findings",
        "variants": [
            {"id": "scene_enough", "handler": "enough"},
            {"id": "parse_rows", "handler": "parse_rows"},
            {"id": "parse_some_rows", "handler": "parse_some_rows"},
            {"id": "spin", "handler": "spin"},
            {"id": "look_now_and_then", "handler": "look_now_and_then"},
            {"id": "lose_an_error", "handler": "lose_an_error"},
            {"id": "ask_for_an_error", "handler": "ask_for_an_error"},
            {"id": "forget_a_task", "handler": "forget_a_task"},
            {"id": "end_a_task", "handler": "end_a_task"},
            {"id": "gc_pause", "handler": "pause"},
            {"id": "gc_short", "handler": "pause_shortly"},
            {"id": "compute", "handler": "compute"},
            {"id": "sleep_in_a_thread", "handler": "sleep_in_a_thread"},
        ],
    }
]
