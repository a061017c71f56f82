"""Run one load experiment at a time, in a process of its own, and relay how it goes.

The process is `python -m loadgen`; each line that it prints tells all that is known,
so a viewer that misses some misses nothing. Nothing here reads what the lines say.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.demo.disk import MAX_AT_ONCE, MAX_IN_ALL
from dashboard.demo.stories import shortened
from dashboard.errors import BadParameter, ExperimentRunning
from loadgen.plan import Plan, Shape
from loadgen.plan import Variant as Line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

#: Name, smallest, largest and usual value of what a viewer may choose. Small enough
#: that whatever is chosen ends within minutes and leaves the machine usable.
FIELDS = (
    ("users", 1, 200, 60),
    ("spawn_rate", 1, 200, 4),
    ("seconds", 2, 120, 20),
)
#: The report's colours by number, so that a line has the one it had on the page.
COLOURS = {"thread": 0, "blocked": 1, "running": 2, "waiting": 3}
#: All points of four variants are some 30 KB.
LINE_BYTES = 1 << 20
STDERR_BYTES = 2000
#: Ctrl-C must end everything within a second, open streams first.
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Variant:
    """One line on the chart; `state` is what it is about, and so its colour."""

    name: str
    path: str
    state: str
    published_rps: float | None = None
    """What the article measured, where there is one."""


@dataclass(frozen=True, slots=True)
class Preset:
    """An experiment to choose. `is_mix`: each variant is asked for beside `/hello`."""

    id: str
    title: str
    variants: tuple[Variant, ...]
    is_mix: bool = False
    note: str = ""
    """What it may spend, for who is about to start it."""

    def plan(self, users: int, spawn_rate: int, seconds: int) -> Plan:
        """Return the plan of a run: its flags are made of it, and so is the forecast."""
        lines = tuple(Line(variant.name, ()) for variant in self.variants)
        shape = Shape(users, spawn_rate, seconds)
        return Plan(lines, shape, client="fast")


PRESETS = (
    Preset(
        "waits",
        "three ways to wait 100 ms",
        (
            Variant("await sleep", "/slow?seconds=0.1", "waiting"),
            Variant("time.sleep in def", "/threaded?seconds=0.1", "thread"),
            Variant("time.sleep in async def", "/blocking?seconds=0.1", "blocked"),
        ),
    ),
    Preset(
        "writes",
        "four ways to write a file",
        (
            Variant("def", "/write", "thread", 550),
            Variant("async def, blocking", "/write_bad", "blocked", 205),
            Variant("to_thread", "/write_with_thread", "running", 540),
            Variant("aiofiles", "/write_async", "waiting", 470),
        ),
        is_mix=True,
        note=f"Each write flushes 8 MB to the disk; at most {MAX_AT_ONCE // 10**9} GB at "
        f"once and {MAX_IN_ALL // 10**12:,} TB in all, what is beyond is answered 429.",
    ),
)


@dataclass(frozen=True, slots=True)
class Told:
    """The last thing that there is to tell: `name` is that of the event."""

    name: str
    data: bytes = b""


IDLE = Told("idle")


class Experiment:
    """At most one running experiment. Lives in the dashboard's loop.

    `target` returns the demo app's address, or raises `DemoUnavailable`.
    """

    def __init__(self, target: Callable[[], str]) -> None:
        self._target = target
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._is_stopping = False
        self._changed = asyncio.Event()
        self.told = IDLE
        self.preset = PRESETS[0].id

    def __repr__(self) -> str:
        return f"<Experiment {self.preset}, {self.told.name}>"

    @property
    def is_running(self) -> bool:
        """Whether one is under way."""
        return self._task is not None and not self._task.done()

    @property
    def report(self) -> Path | None:
        """The last report as an HTML file, if there is one."""
        if self._folder is None or self.is_running:
            return None
        path = Path(self._folder.name) / "report.html"
        return path if path.exists() else None

    def start(self, order: Mapping[str, object]) -> None:
        """Begin an experiment; does not wait.

        Raises `BadParameter`, `DemoUnavailable` or `ExperimentRunning`, and has
        started nothing then.
        """
        preset = _find(order.get("preset", PRESETS[0].id))
        numbers = {
            name: _checked(name, order.get(name, usual), low, high)
            for name, low, high, usual in FIELDS
        }
        base = self._target()
        if self.is_running:
            raise ExperimentRunning("an experiment is running; stop it first")
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="loopscope-report-")
        path = Path(self._folder.name) / "report.html"
        path.unlink(missing_ok=True)
        self.preset = preset.id
        flags = _flags(preset.plan(**numbers))
        command = [
            *(sys.executable, "-m", "loadgen", *_what(preset, base), *flags),
            *("--json-lines", "--html", str(path)),
        ]
        self._is_stopping = False
        self._tell(Told("starting", preset.id.encode()))
        self._task = asyncio.create_task(self._run(command), name="experiment")

    def stop(self) -> None:
        """End what is running, with a report of what was measured; does not wait."""
        self._is_stopping = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)

    async def close(self) -> None:
        """End what is running, report or not, and remove what it left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._folder is not None:
            self._folder.cleanup()

    async def watch(
        self, *, is_over: Callable[[], bool] = lambda: False
    ) -> AsyncIterator[bytes]:
        """Yield events for one viewer: what is known now, then each change."""
        shown: Told | None = None
        while not is_over():
            changed = self._changed
            if self.told is not shown:
                shown = self.told
                yield b"event: %b\ndata: %b\n\n" % (shown.name.encode(), shown.data)
            else:
                # Not for ever: whether the server ends has to be asked.
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), LOOK_S)

    async def _run(self, command: list[str]) -> None:
        process = self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
            # Ctrl-C in the terminal is for us: we end it, in order.
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        complaint = asyncio.ensure_future(process.stderr.read(STDERR_BYTES))
        end = IDLE
        try:
            async for line in process.stdout:
                if line.startswith(b'{"event":"report"'):
                    end = Told("report", line.strip())
                else:
                    self._tell(Told("progress", line.strip()))
            await process.wait()
            # Stopped before it had begun, it has nothing to report.
            if end is IDLE and not self._is_stopping:
                end = Told("failed", _sentence(await complaint))
        finally:
            complaint.cancel()
            self._process = None
            # The group: its generator processes end with it, whatever happened.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            # Last of all: who hears that it is over may take the report or start anew.
            self._tell(end)

    def _tell(self, told: Told) -> None:
        self.told = told
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _what(preset: Preset, base: str) -> list[str]:
    if preset.is_mix:
        return ["seeds", "--target", base]
    names = ",".join(variant.name for variant in preset.variants)
    urls = [base + variant.path for variant in preset.variants]
    colours = ",".join(str(COLOURS[variant.state]) for variant in preset.variants)
    return ["compare", *urls, "--names", names, "--colours", colours]


def _flags(plan: Plan) -> list[str]:
    shape = plan.shape
    return [
        *("--users", f"{shape.users}", "--spawn-rate", f"{shape.spawn_rate}"),
        *("--run-time", f"{shape.run_time_s}s", "--warm-up", f"{shape.warm_up_s}s"),
        *("--repeat", f"{plan.repeats}", "--client", plan.client),
    ]


def _find(preset_id: object) -> Preset:
    for preset in PRESETS:
        if preset.id == preset_id:
            return preset
    known = ", ".join(preset.id for preset in PRESETS)
    raise BadParameter(f"preset must be one of {known}, got {shortened(preset_id)}")


def _checked(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise BadParameter(
        f"{name} must be a whole number from {low} to {high}, got {shortened(value)}"
    )


def _sentence(complaint: bytes) -> bytes:
    """Return the last line that a failed run said, for people."""
    lines = complaint.decode(errors="replace").split("\n")
    said = next((line for line in reversed(lines) if line.strip()), "")
    said = said.removeprefix("loadgen: ").strip()
    return (said or "the load generator ended without a word").encode()
