"""The endpoints of the four articles, as written there.

Paths, parameters and answers are the articles'; what they leave unbounded has
bounds here. Files are temporary, named by the system, and gone with the request.
"""

import asyncio
import os
import tempfile
import time
from typing import Annotated

import aiofiles.tempfile
from anyio import to_thread
from fastapi import APIRouter, Path, Query

from dashboard.demo.bounds import bounded

router = APIRouter(tags=["articles"])
writing = APIRouter(tags=["articles"])

ItemId = Annotated[int, Path(ge=0, le=1_000_000_000)]
Text = Annotated[str | None, Query(max_length=200)]
NumChars = Annotated[int, bounded("write", "num_chars")]
Flush = Annotated[int, bounded("write", "flush")]


@router.get("/slow_task/{item_id}")
async def read_item(item_id: ItemId, q: Text = None) -> dict[str, int | str | None]:
    """Wait five seconds, as for a database; the loop serves others meanwhile."""
    await asyncio.sleep(5)
    return {"item_id": item_id, "q": q}


@router.get("/fast_task/")
async def read_root() -> dict[str, str]:
    """Answer at once."""
    return {"message": "This is fast!"}


@router.get("/async-endpoint")
async def read_data() -> dict[str, str]:
    """Wait for an asynchronous operation."""
    data = await some_async_function()
    return {"data": data}


async def some_async_function() -> str:
    """Stand for a query that takes a tenth of a second."""
    await asyncio.sleep(0.1)
    return "some data"


@router.get("/hello")
def hello() -> dict[str, str]:
    """Say hello, from a worker thread."""
    return {"message": "Hello world"}


def write_to_file(num_chars: int, flush: int) -> None:
    """Write the char "a" many times; with `flush`, wait until the disk has it."""
    content = b"a" * num_chars
    with tempfile.TemporaryFile() as f:
        f.write(content)
        if flush:
            f.flush()
            os.fsync(f.fileno())


async def write_to_file_async(num_chars: int, flush: int) -> None:
    """Do the same with aiofiles, which uses a thread for each of these calls."""
    content = b"a" * num_chars
    async with aiofiles.tempfile.TemporaryFile() as f:
        await f.write(content)
        if flush:
            await f.flush()
            await asyncio.to_thread(os.fsync, f.fileno())


@writing.get("/write")
def write(num_chars: NumChars = 50_000_000, flush: Flush = 1) -> dict[str, object]:
    """Write a file; FastAPI runs a `def` handler in a worker thread."""
    start_time = time.time()
    write_to_file(num_chars, flush)
    waiting_time = time.time() - start_time
    return {"waiting_time": waiting_time, "unit": "seconds"}


@writing.get("/write_bad")
async def write_bad(
    num_chars: NumChars = 50_000_000, flush: Flush = 1
) -> dict[str, object]:
    """Write a file on the loop: the function never awaits, so nobody else goes."""
    start_time = time.time()
    write_to_file(num_chars, flush)
    waiting_time = time.time() - start_time
    return {"waiting_time": waiting_time, "unit": "seconds"}


@writing.get("/write_with_thread")
async def write_with_thread(
    num_chars: NumChars = 50_000_000, flush: Flush = 1
) -> dict[str, object]:
    """Write a file in a worker thread that the handler asks for itself."""
    start_time = time.time()
    await to_thread.run_sync(write_to_file, num_chars, flush)
    waiting_time = time.time() - start_time
    return {"waiting_time": waiting_time, "unit": "seconds"}


@writing.get("/write_async")
async def write_async(
    num_chars: NumChars = 50_000_000, flush: Flush = 1
) -> dict[str, object]:
    """Write a file with a library made for asyncio."""
    start_time = time.time()
    await write_to_file_async(num_chars, flush)
    waiting_time = time.time() - start_time
    return {"waiting_time": waiting_time, "unit": "seconds"}
