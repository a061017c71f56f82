"""What the demo app may put on a disk is bounded, at once and in all."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from dashboard.demo import disk
from dashboard.demo.app import create_app

pytestmark = pytest.mark.anyio

WAYS = ("/write", "/write_bad", "/write_with_thread", "/write_async")


@pytest.fixture
def room(monkeypatch):
    """A disk with room for ten thousand bytes at once, and a hundred in all."""
    monkeypatch.setattr(disk, "DISK", disk.Disk())
    monkeypatch.setattr(disk, "MAX_AT_ONCE", 10_000_000)
    monkeypatch.setattr(disk, "MAX_IN_ALL", 100_000_000)
    return disk.DISK


@pytest.fixture
async def client(tmp_path, monkeypatch):
    """Ask the demo app, in this process."""
    monkeypatch.setenv("LOOPSCOPE_DIR", str(tmp_path))
    transport = httpx.ASGITransport(create_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as c:
        yield c


@pytest.mark.parametrize("way", WAYS)
async def test_at_once(room, client, way):
    """What does not fit beside others is refused with the numbers, and fits later."""
    room.take(8_000_000)
    refused = await client.get(f"{way}?num_chars=3000000&flush=0")
    room.give_back(8_000_000)
    taken = await client.get(f"{way}?num_chars=3000000&flush=0")

    assert (refused.status_code, taken.status_code) == (429, 200)
    assert refused.json()["detail"] == (
        "8 MB are being written and 3 MB more would exceed 10 MB; wait until some are"
    )
    assert room.at_once == 0


async def test_in_all(room, client):
    """An app that has written as much as it may writes no more, and says what to do."""
    room.in_all = 99_000_000
    refused = await client.get("/write?num_chars=3000000")
    taken = await client.get("/write?num_chars=1000000&flush=0")

    assert (refused.status_code, taken.status_code) == (429, 200)
    assert "99 MB were written since this app began" in refused.json()["detail"]


@pytest.mark.parametrize("way", WAYS)
async def test_comes_back(room, client, monkeypatch, tmp_path, way):
    """A write that fails leaves its room to others."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    answers = await asyncio.gather(*(client.get(f"{way}?num_chars=2") for _ in "ab"))

    assert [answer.status_code for answer in answers] == [507, 507]
    assert room.at_once == 0
