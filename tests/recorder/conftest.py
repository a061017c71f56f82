"""Fixtures for everything that records: a private folder, both loops, no leftovers."""

from __future__ import annotations

import asyncio
import gc
from asyncio import events
from typing import TYPE_CHECKING

import pytest
from rings import read_ring

import dashboard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from rings import Told


def _loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories = {"asyncio": asyncio.new_event_loop}
    try:
        import uvloop
    except ImportError:
        # Not built for this Python: the matrix of `make test` says where it is.
        return factories
    return factories | {"uvloop": uvloop.new_event_loop}


FACTORIES = _loop_factories()


@pytest.fixture(params=list(FACTORIES))
def loop_factory(request: pytest.FixtureRequest) -> object:
    """Each kind of event loop in turn."""
    return FACTORIES[request.param]


@pytest.fixture(autouse=True)
def ring_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rings of a test go to a folder of its own."""
    folder = tmp_path / "rings"
    monkeypatch.setenv("LOOPSCOPE_DIR", str(folder))
    return folder


@pytest.fixture
def told(ring_dir: Path) -> Callable[[], Told]:
    """Read the only ring there is."""

    def read() -> Told:
        (path,) = ring_dir.glob("*.ring")
        return read_ring(path)

    return read


@pytest.fixture
def run(
    loop_factory: Callable[[], asyncio.AbstractEventLoop], told: Callable[[], Told]
) -> Callable[[Callable[[], Awaitable[object]]], Told]:
    """Run a recorded program; return what was told. Its result is put beside it."""

    def run(program: Callable[[], Awaitable[object]]) -> Told:
        async def recorded() -> object:
            with dashboard.record():
                return await program()

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            program.result = runner.run(recorded())
        return told()

    return run


@pytest.fixture(autouse=True)
def nothing_left_installed() -> Iterator[None]:
    """After each test asyncio and anyio are as they were before it."""
    import anyio.to_thread

    before = (events.Handle._run, anyio.to_thread.run_sync, gc.callbacks[:])

    yield

    after = (events.Handle._run, anyio.to_thread.run_sync, gc.callbacks[:])
    assert after == before
