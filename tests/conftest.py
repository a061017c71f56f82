"""What every test may use: helpers beside this file, asyncio, bounded waits."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

sys.path.insert(0, str(Path(__file__).parent))

#: Longer than anything here takes on a busy machine; only a broken promise waits.
PATIENCE_S = 20.0
POLL_S = 0.01


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio alone: it is what the product is about."""
    return "asyncio"


@pytest.fixture
def eventually() -> Callable[[Callable[[], object], str], Awaitable[None]]:
    """Wait until a condition holds, or fail saying what should have happened.

    For what another process or thread does: nothing in here could wake us.
    """

    async def wait(condition: Callable[[], object], what: str) -> None:
        pause = asyncio.sleep
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    await pause(POLL_S)
        except TimeoutError:
            pytest.fail(f"waited {PATIENCE_S:g} s for {what}, in vain")

    return wait


def pytest_terminal_summary(terminalreporter):
    """Show why a test failed that was tried once more, also when it passed then."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"first try of {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)
