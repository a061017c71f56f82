"""Clocks that only a test moves."""

from __future__ import annotations

import asyncio
import selectors


class FakeClock:
    """Nanoseconds that pass when `work` is called, and never else."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def __call__(self) -> int:
        return self.ns

    def work(self, ns: int) -> None:
        """Let time pass, as a step that computes for that long would."""
        self.ns += ns


class VirtualLoop(asyncio.SelectorEventLoop):
    """Run asyncio code without ever waiting for real time: no threads, no sockets."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_InstantSelector(self))

    def time(self) -> float:
        """Return seconds since the loop was made."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move the clock, as a step that computes for that long would."""
        self._now_s += seconds


class _InstantSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        assert timeout is not None, "no task is ready and no timer is set"
        self._loop.advance(timeout)
        return ready
