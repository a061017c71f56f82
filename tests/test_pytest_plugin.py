"""The pytest plugin: a test whose loop was held fails with the line that held it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OPTION = "--loopscope-max-step-ms=50"
IMPORTS = "import asyncio, time, pytest\n"
#: Held far longer than allowed, and waited for longer still.
HOLDS = """
async def holds():
    time.sleep(0.2)  # the line

async def waits():
    await asyncio.sleep(0.2)
"""


@pytest.fixture
def run(tmp_path):
    """Run pytest as a project would: (exit code, what it said)."""
    tests = tmp_path / "project"
    tests.mkdir()

    def run(code, *flags, plugins=(), ini=""):
        (tests / "test_shop.py").write_text(IMPORTS + HOLDS + code)
        (tests / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{ini}\n")
        words = [f"-p{name}" for name in ("dashboard.pytest_plugin", *plugins)]
        environ = os.environ | {
            "LOOPSCOPE_DIR": str(tmp_path / "rings"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--strict-markers", *words, *flags],
            capture_output=True,
            text=True,
            timeout=50,
            cwd=tests,
            env=environ,
        )
        left = list((tmp_path / "rings").rglob("*"))
        assert left == [], "rings are left behind"
        return done.returncode, done.stdout + done.stderr

    return run


WAYS = {
    "asyncio.run": ("def test_it():\n    asyncio.run({what}())\n", (), ""),
    "anyio": (
        "@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
        "@pytest.mark.anyio\nasync def test_it():\n    await {what}()\n",
        ("anyio.pytest_plugin",),
        "",
    ),
    "pytest-asyncio": (
        "@pytest.mark.asyncio\nasync def test_it():\n    await {what}()\n",
        ("pytest_asyncio.plugin",),
        "asyncio_default_fixture_loop_scope = function",
    ),
    "unittest": (
        "import unittest\nclass Test(unittest.IsolatedAsyncioTestCase):\n"
        "    async def test_it(self):\n"
        "        asyncio.get_running_loop().set_debug(False)\n        await {what}()\n",
        (),
        "",
    ),
    "uvloop": ("def test_it():\n    import uvloop\n    uvloop.run({what}())\n", (), ""),
}


@pytest.mark.parametrize("way", WAYS)
def test_names_the_line(run, way):
    """Whoever runs the loop, the test fails with the length, the line and its code."""
    needed = way.replace("-", "_")
    if way in ("pytest-asyncio", "uvloop") and find_spec(needed) is None:
        pytest.skip(f"{way} is not installed")
    code, plugins, ini = WAYS[way]

    status, said = run(code.format(what="holds"), OPTION, plugins=plugins, ini=ini)

    assert status == 1, said
    assert "one step held the event loop for longer than 50 ms" in said
    assert " ms at test_shop.py:4 in holds\n      time.sleep(0.2)  # the line" in said


@pytest.mark.parametrize("way", WAYS)
def test_to_wait_is_fine(run, way):
    """A test that only waits passes, however long it waits."""
    needed = way.replace("-", "_")
    if way in ("pytest-asyncio", "uvloop") and find_spec(needed) is None:
        pytest.skip(f"{way} is not installed")
    code, plugins, ini = WAYS[way]

    # Far above what a busy machine takes for a step.
    flag = "--loopscope-max-step-ms=190"
    status, said = run(code.format(what="waits"), flag, plugins=plugins, ini=ini)

    assert status == 0, said


def test_off_unless_asked_for(run):
    """Without option or marker nothing is checked, and nothing of ours is imported."""
    code = """
import sys
def test_it():
    asyncio.run(holds())
    loaded = [name for name in sys.modules if name.startswith("dashboard")]
    assert sorted(loaded) == ["dashboard", "dashboard.pytest_plugin"]
"""
    status, said = run(code)

    assert status == 0, said


def test_configuration(run):
    """The limit may stand in pytest's configuration."""
    status, said = run(WAYS["asyncio.run"][0].format(what="holds"), ini=f"{NAME} = 50")

    assert status == 1
    assert "longer than 50 ms" in said


NAME = "loopscope_max_step_ms"


def test_marker(run):
    """A marker checks its test alone, with a limit of its own, or lets it off."""
    code = f"""
@pytest.mark.{NAME}(50)
def test_checked():
    asyncio.run(holds())

def test_not_checked():
    asyncio.run(holds())
"""
    status, said = run(code)
    assert status == 1
    assert "FAILED test_shop.py::test_checked" in said
    assert "1 failed, 1 passed" in said

    code = f"@pytest.mark.{NAME}(None)\ndef test_let_off():\n    asyncio.run(holds())\n"
    status, said = run(code, OPTION)
    assert status == 0, said


@pytest.mark.parametrize("given", ["fast", "0", "-5", "nan", "inf"])
def test_bad_limit(run, given):
    """A limit that is none is a sentence, and no test runs."""
    code = WAYS["asyncio.run"][0].format(what="waits")
    status, said = run(code, f"--loopscope-max-step-ms={given}")

    assert status == 4
    assert f"milliseconds from 1 on, got {given!r}" in said
    assert "Traceback" not in said


def test_its_own_failure_first(run):
    """A test that fails by itself tells that; the step is told beside it."""
    code = "def test_it():\n    asyncio.run(holds())\n    assert 1 == 2\n"
    status, said = run(code, OPTION)

    assert status == 1
    assert "assert 1 == 2" in said
    assert "test_shop.py:4 in holds" in said


def test_c_call(run):
    """A call that keeps the interpreter's lock is named by its line, too."""
    code = """
async def counts():
    sum(range(10**7))
    return None

def test_it():
    asyncio.run(counts())
"""
    status, said = run(code, "--loopscope-max-step-ms=30")

    assert status == 1
    assert "at test_shop.py:10 in counts" in said


def test_callback_without_a_line(run):
    """A builtin that the loop itself calls has no line; its name is told."""
    code = """
def test_it():
    async def main():
        asyncio.get_running_loop().call_soon(time.sleep, 0.2)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    asyncio.run(main())
"""
    status, said = run(code, OPTION)

    assert status == 1
    assert "ms in sleep, not Python code" in said


def test_many_loops(run):
    """Each loop of a test is looked at, and the longest step is told first."""
    code = """
def test_it():
    for number in range(12):
        asyncio.run(holds() if number == 3 else waits_a_moment())

async def waits_a_moment():
    await asyncio.sleep(0)
"""
    status, said = run(code, OPTION)

    assert status == 1
    assert "test_shop.py:4 in holds" in said


def test_a_loop_that_lives_on(run):
    """A loop that outlives its test is checked in the next one, and not twice."""
    code = """
@pytest.fixture(scope="module")
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()

def test_first(loop):
    loop.run_until_complete(holds())

def test_second(loop):
    loop.run_until_complete(waits())

def test_third(loop):
    loop.run_until_complete(holds())
    assert type(loop).run_forever.__qualname__ == "BaseEventLoop.run_forever"
"""
    status, said = run(code, "--loopscope-max-step-ms=190")

    assert status == 1
    assert "FAILED test_shop.py::test_first" in said
    assert "FAILED test_shop.py::test_third" in said
    assert "2 failed, 1 passed" in said


def test_skipped_stays_skipped(run):
    """What a test decides about itself is not overruled."""
    code = "def test_it():\n    asyncio.run(holds())\n    pytest.skip('no')\n"
    status, said = run(code, OPTION)

    assert status == 0, said
    assert "1 skipped" in said


def test_registered():
    """pytest finds the plugin by itself where Loopscope is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module = project["entry-points"]["pytest11"]["loopscope"]

    assert find_spec(module) is not None


@pytest.mark.slow
def test_more_than_is_kept(run):
    """Of a test with more steps than a ring keeps, the last are looked at; it is said."""
    code = """
async def spins():
    for _ in range(300_000):
        await asyncio.sleep(0)
    await {end}()

def test_it():
    asyncio.run(spins())
"""
    status, said = run(code.format(end="waits"), "--loopscope-max-step-ms=190")
    assert status == 0, said
    assert "test_shop.py::test_it made more steps than are kept" in said

    status, said = run(code.format(end="holds"), "--loopscope-max-step-ms=190")
    assert status == 1
    assert " ms at test_shop.py:4 in holds" in said
