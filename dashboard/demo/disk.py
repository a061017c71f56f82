"""Bound what the ways to write a file may put on the disk: at once, and in all.

Whoever reaches the demo app may ask, as often as they like, and so does a load
experiment. What does not fit is refused before anything is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import HTTPException

from dashboard.demo.bounds import bounded

#: Files that exist at the same time, and as much memory: half of what a small /tmp has.
MAX_AT_ONCE = 1_000_000_000
#: Of one life of the app, each file gone with its request: a dozen of the page's
#: experiments, and a thousandth of what a disk is made for.
MAX_IN_ALL = 1_000_000_000_000


class Disk:
    """What is being written, and what was. Lives in the loop."""

    def __init__(self) -> None:
        self.at_once = 0
        self.in_all = 0

    def __repr__(self) -> str:
        return f"<Disk {self.at_once} bytes being written, {self.in_all} in all>"

    def take(self, size: int) -> None:
        """Count a file that will be written; raise 429 where it does not fit."""
        if self.at_once + size > MAX_AT_ONCE:
            raise HTTPException(
                429,
                f"{_mb(self.at_once)} are being written and {_mb(size)} more would "
                f"exceed {_mb(MAX_AT_ONCE)}; wait until some are",
            )
        if self.in_all + size > MAX_IN_ALL:
            raise HTTPException(
                429,
                f"{_mb(self.in_all)} were written since this app began and {_mb(size)} "
                f"more would exceed {_mb(MAX_IN_ALL)}; start it again",
            )
        self.at_once += size
        self.in_all += size

    def give_back(self, size: int) -> None:
        """The file is gone again."""
        self.at_once -= size


DISK = Disk()


async def has_room(
    num_chars: Annotated[int, bounded("write", "num_chars")] = 50_000_000,
) -> AsyncIterator[None]:
    """Hold room on the disk for as long as a request lasts."""
    DISK.take(num_chars)
    try:
        yield
    finally:
        DISK.give_back(num_chars)


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
