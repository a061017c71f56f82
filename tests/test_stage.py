"""The stage keeps one demo app running, and never leaves one behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest

from dashboard.errors import DemoUnavailable
from dashboard.server.programs import stage as module
from dashboard.server.programs.stage import Stage

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def own_rings(tmp_path, monkeypatch):
    """Keep the stage's folders out of the user's."""
    monkeypatch.setenv("LOOPSCOPE_DIR", str(tmp_path / "rings"))
    return tmp_path / "rings"


@pytest.fixture
async def stage():
    """Give a stage whose demo app is up."""
    async with Stage() as stage, asyncio.timeout(30):
        await stage.wait_up()
        yield stage


def get(url):
    """Return the status of a GET."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.status


def is_running(pid):
    """Tell whether the process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_up(stage):
    """When it says up, the demo app answers where it says."""
    assert await asyncio.to_thread(get, f"{stage.target()}/healthz") == 200
    assert stage.notices() == []
    assert stage.pid


async def test_private_folder(stage):
    """Only this user can enter the session's folder, and it goes with the session."""
    assert stat.S_IMODE(stage.ring_dir.stat().st_mode) == 0o700

    await stage.stop()

    assert not stage.ring_dir.exists()


async def test_given_folder(tmp_path):
    """A folder that was given is used and left alone."""
    async with Stage(ring_dir=tmp_path):
        pass

    assert tmp_path.exists()


async def test_killed_child(stage, eventually):
    """A killed demo app is replaced on the same port, and the page is told."""
    port, pid = stage.url, stage.pid
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: stage.notices(), "a notice")

    notice = "the demo app stopped (killed by signal 9); starting it again"
    assert [notice] == stage.notices()
    with pytest.raises(DemoUnavailable) as caught:
        stage.target()
    assert notice == str(caught.value)

    await eventually(lambda: stage.pid, "a new demo app")
    assert pid != stage.pid
    assert port == stage.target()
    assert stage.starts == 2


async def test_notice_is_forgotten(stage, eventually, monkeypatch):
    """What was wrong is not said for ever."""
    monkeypatch.setattr(module, "NOTICE_KEEPS_S", 0.01)
    os.kill(stage.pid, signal.SIGKILL)
    await eventually(lambda: stage.starts == 2 and stage.pid, "a new demo app")

    await eventually(lambda: not stage.notices(), "no notice any more")


async def test_stop_while_blocked(stage):
    """A blocked loop does not keep the dashboard from ending in time."""
    pid = stage.pid
    blocked = asyncio.to_thread(get, f"{stage.url}/blocking?seconds=10")
    request = asyncio.create_task(blocked)
    await asyncio.to_thread(wait_until_blocked, stage.url)
    began = asyncio.get_running_loop().time()

    await stage.stop()

    # Generous, because other programs run here too; blocked, it would be ten.
    assert asyncio.get_running_loop().time() - began < 3
    assert not is_running(pid)
    with pytest.raises(ConnectionError):
        await request


def wait_until_blocked(url):
    """Return once the demo app no longer answers."""
    for _ in range(1000):
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=0.2).close()
        except TimeoutError:
            return
    pytest.fail("the demo app never blocked")


async def test_taken_port(monkeypatch, eventually):
    """A port of somebody else is named once, and taken when it is free."""
    monkeypatch.setattr(module, "BACKOFF_MIN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stage = Stage(port=port)
        await stage.start()
        await eventually(lambda: stage.notices(), "a notice")
        notice = stage.notices()[0]
        starts = stage.starts
    await eventually(lambda: stage.pid, "the demo app, once the port is free")
    await stage.stop()

    assert f"port {port} on 127.0.0.1 is in use by another program" in notice
    assert notice.endswith("choose another with --demo-port")
    assert starts == 0


async def test_stop_twice():
    """To stop what never started, or twice, does nothing."""
    stage = Stage()

    await stage.stop()
    await stage.stop()

    assert repr(stage) == "<Stage down, port 0, 0 starts>"


async def test_child_dies_with_dashboard(eventually, own_rings):
    """A dashboard that is killed leaves no demo app; its folder goes at next start."""
    code = textwrap.dedent(
        """
        import asyncio
        from dashboard.server.programs.stage import Stage

        async def main():
            async with Stage() as stage:
                await stage.wait_up()
                print(stage.pid, stage.ring_dir, flush=True)
                await asyncio.Event().wait()

        asyncio.run(main())
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as dashboard:
        pid, left = dashboard.stdout.readline().split()
        dashboard.kill()
    await eventually(lambda: not is_running(int(pid)), "the end of the demo app")
    assert Path(left).exists()

    async with Stage():
        assert not Path(left).exists()


async def test_folder_of_living(own_rings):
    """The folder of a session that goes on is left alone."""
    async with Stage() as first, Stage():
        assert first.ring_dir.exists()
