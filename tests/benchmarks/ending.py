"""End what a benchmark started, whoever ends the benchmark: its last row, or a signal."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

#: A busy machine takes its time; a dashboard ends within a second.
PATIENCE_S = 20


def carry_out(main: Callable[[], int | None]) -> NoReturn:
    """Run a benchmark; SIGTERM ends it as Ctrl-C does, through every `finally`."""
    heed_signals()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("told to stop: what stands above is whole, the rest is not")
        sys.exit(130)


def heed_signals() -> None:
    """Make both signals a `KeyboardInterrupt`."""
    # Ctrl-C as well: a shell has what it starts in its background ignore that.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], **more: Any
) -> Iterator[subprocess.Popen[Any]]:
    """Run a process (`more`: as for `Popen`) that is gone when the block is over."""
    with subprocess.Popen(command, **more) as process:
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process politely, or, should it not listen, for good."""
    process.terminate()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
