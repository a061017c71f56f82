"""Other varieties of the demo app, for the stories that compare servers.

Each is started when something is first sent to it, and ended when nothing has been
sent for a while: four workers at rest are still four loops on the page.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dashboard.errors import DemoUnavailable
from dashboard.server.programs.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

#: Four workers import FastAPI at once: three seconds, ten times that when all is busy.
START_PATIENCE_S = 45.0
#: A presenter talks between two clicks, and does not want to wait again.
IDLE_S = 90.0
#: What each variety is started with.
VARIETIES: dict[str, dict[str, str | int]] = {
    "asyncio": {"loop": "asyncio"},
    "uvloop": {"loop": "uvloop"},
    "workers": {"workers": 4},
}


class Sides:
    """The stages beside the main one; lives in the dashboard's loop."""

    def __init__(self, ring_dir: Path) -> None:
        self._ring_dir = ring_dir
        self._stages: dict[str, Stage] = {}
        self._ends: dict[str, asyncio.TimerHandle] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Sides {sorted(self._stages)}>"

    def pid(self, name: str) -> int | None:
        """Return the process id of a side that is up."""
        stage = self._stages.get(name)
        return stage.pid if stage is not None else None

    def notices(self) -> list[str]:
        """Return what a viewer must know about them."""
        return [
            f"{name}: {notice}"
            for name, stage in self._stages.items()
            for notice in stage.notices()
        ]

    async def up(self, name: str) -> str:
        """Start a side unless it is there; return its address once it is up.

        Raises `DemoUnavailable` when it does not come up.
        """
        self._end_later(name)
        stage = self._stages.get(name)
        if stage is None:
            stage = Stage(ring_dir=self._ring_dir, **VARIETIES[name])  # type: ignore[arg-type]
            self._stages[name] = stage
            await stage.start()
        try:
            async with asyncio.timeout(START_PATIENCE_S):
                await stage.wait_up()
        except TimeoutError:
            raise DemoUnavailable(
                f"the demo app with {name} did not start within {START_PATIENCE_S:g} s"
            ) from None
        return stage.url

    async def stop(self) -> None:
        """End all of them."""
        for timer in self._ends.values():
            timer.cancel()
        stages = list(self._stages.values())
        self._stages.clear()
        await asyncio.gather(*(stage.stop() for stage in stages), *self._stopping)

    def _end_later(self, name: str) -> None:
        if name in self._ends:
            self._ends[name].cancel()
        loop = asyncio.get_running_loop()
        self._ends[name] = loop.call_later(IDLE_S, self._end, name)

    def _end(self, name: str) -> None:
        stage = self._stages.pop(name, None)
        if stage is not None:
            task = asyncio.get_running_loop().create_task(stage.stop())
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)
