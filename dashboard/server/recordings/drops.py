"""Files that somebody drops on the page: each becomes a page of its own, which only draws.

A file is written to the disk as it comes, counted, and read by another process. What is
served of it is one HTML file that asks nobody for anything. Nothing of it is kept for
longer than the dashboard runs; the oldest pages go first.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.errors import BadParameter, OverBudget
from dashboard.ring.layout import MAGIC as RING_MAGIC
from dashboard.server.presses.budgets import (
    DROP_ARRIVES_S,
    DROP_BYTES,
    DROP_KEEP,
    DROP_KEEP_BYTES,
)
from dashboard.server.recordings.recording import MAGIC

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: What a name may have on a disk and in a sentence; anything else is somebody's joke.
ODD = re.compile(r"[^\w.() +-]")
MAX_NAME = 80


class DropTooLarge(BadParameter):
    """A file has more bytes than one may have."""


class Drops:
    """The pages of dropped files. One is made at a time."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pages: dict[str, Path] = {}
        self._is_busy = False

    def __repr__(self) -> str:
        return f"<Drops: {len(self._pages)} pages>"

    def find(self, key: str) -> Path | None:
        """Return the page of a file that was dropped, if it is kept."""
        return self._pages.get(key)

    def close(self) -> None:
        """Delete all of it."""
        if self._folder is not None:
            self._folder.cleanup()

    async def take(self, body: AsyncIterator[bytes], name: str) -> str:
        """Make a page of a file, and return its key.

        Raises:
            OverBudget: another one is being read.
            DropTooLarge: it has too many bytes.
            BadParameter: it cannot be shown; the sentence says why.
        """
        if self._is_busy:
            raise OverBudget(
                "the dashboard is still reading another file, and reads one at a time; "
                f"drop {_harmless(name)} again in a moment"
            )
        self._is_busy = True
        try:
            return await self._take(body, _harmless(name))
        finally:
            self._is_busy = False

    async def _take(self, body: AsyncIterator[bytes], name: str) -> str:
        if self._folder is None:
            # Readable for this user only.
            self._folder = tempfile.TemporaryDirectory(prefix="loopscope-dropped-")
        key = secrets.token_urlsafe(16)
        with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            file = Path(folder) / name
            try:
                async with asyncio.timeout(DROP_ARRIVES_S):
                    await _write(body, file)
            except TimeoutError:
                raise BadParameter(
                    f"{name} was not here after {DROP_ARRIVES_S:g} s, as it has to be; "
                    "use loopscope open"
                ) from None
            page = Path(folder) / "page"
            await _make_page(file, page)
            self._pages[key] = page.rename(Path(self._folder.name) / key)
        self._make_room()
        return key

    def _make_room(self) -> None:
        kept = 0
        for index, (key, page) in enumerate(reversed(list(self._pages.items()))):
            kept += page.stat().st_size
            if index and (index >= DROP_KEEP or kept > DROP_KEEP_BYTES):
                page.unlink()
                del self._pages[key]


def _harmless(name: str) -> str:
    clean = ODD.sub("_", name).lstrip(". ")[:MAX_NAME]
    # A file's own name never is a page's.
    return clean if clean and clean != "page" else "recording"


async def _write(body: AsyncIterator[bytes], path: Path) -> None:
    size, begin = 0, b""
    with path.open("wb") as file:
        async for piece in body:
            size += len(piece)
            if size > DROP_BYTES:
                raise DropTooLarge(
                    f"{path.name} has more than {DROP_BYTES >> 20} MB, which is what a "
                    "page is made of here; use loopscope open"
                )
            begin = begin + piece[:8] if len(begin) < len(MAGIC) else begin
            file.write(piece)
    if not begin.startswith((MAGIC, RING_MAGIC)):
        raise BadParameter(
            f"{path.name} is neither a recording nor a ring: it begins with "
            f"{begin[:8]!r}, where these have {MAGIC!r} or {RING_MAGIC!r}"
        )


async def _make_page(file: Path, page: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "dashboard.server.recordings.drop_page",
        str(file),
        str(page),
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        sentence = told.decode("utf-8", "replace").strip()[:1000]
        raise BadParameter(
            sentence
            or f"{file.name} took too long or too much to be read; use loopscope open"
        )
