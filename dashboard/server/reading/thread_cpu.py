"""How much of a processor the worker threads of an observed process use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.server.reading.process import cpu_of_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dashboard.server.model.observed import ObservedLoop


class ThreadCpu:
    """Remember what was read last time, to tell what was used since."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[int, dict[int, int]]] = {}

    def __repr__(self) -> str:
        return f"<ThreadCpu of {len(self._before)} loops>"

    def measure(self, loops: Iterable[ObservedLoop], now_ns: int) -> dict[int, float]:
        """Return processors used since the last call, by loop; 1.0 is one processor.

        The loop's own thread and the recorder's are left out. Loops whose process
        tells nothing are missing.
        """
        used = {}
        before, self._before = self._before, {}
        for loop in loops:
            if loop.ended or not loop.threads[0]:
                continue
            cpu = cpu_of_threads(loop.identity.pid)
            self._before[loop.id] = (now_ns, cpu)
            then_ns, then = before.get(loop.id, (0, {}))
            if then and now_ns > then_ns:
                ns = sum(
                    cpu[tid] - then[tid]
                    for tid in cpu.keys() & then.keys()
                    if tid not in loop.threads
                )
                used[loop.id] = ns / (now_ns - then_ns)
        return used
