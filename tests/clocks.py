"""A clock that only a test moves."""

from __future__ import annotations


class FakeClock:
    """Nanoseconds that pass when `work` is called, and never else."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def __call__(self) -> int:
        return self.ns

    def work(self, ns: int) -> None:
        """Let time pass, as a step that computes for that long would."""
        self.ns += ns
