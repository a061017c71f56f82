"""A recording that the command has written explains its stall on a page of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hands import wait_state
from playwright.sync_api import expect

PROGRAM = """
import asyncio, time

async def hold():
    time.sleep(0.5)

async def main():
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(asyncio.sleep(0.1 * number))
        await asyncio.sleep(0.2)
        group.create_task(hold())

asyncio.run(main())
"""
ROOT = Path(__file__).parents[2]
PATIENCE_S = 40


@pytest.fixture
def url(tmp_path):
    """Record a program, take it away, and open what is left of it."""
    environ = os.environ | {"LOOPSCOPE_DIR": str(tmp_path / "rings")}
    environ |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    (tmp_path / "program.py").write_text(PROGRAM)
    loopscope = [sys.executable, "-m", "dashboard"]
    subprocess.run(
        [*loopscope, "record", "-o", "it", "--", sys.executable, "program.py"],
        cwd=tmp_path,
        env=environ,
        timeout=PATIENCE_S,
        check=True,
    )
    (tmp_path / "program.py").unlink()
    with subprocess.Popen(
        [*loopscope, "open", "it", "--port", "0"],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process.stdout.readline().split()[-1]
        process.terminate()


def test_explains_its_stall(url, browser):
    """Drawn from its picture, told from what was read behind it; a second page, too."""
    for _ in range(2):
        with browser.new_page(viewport={"width": 1440, "height": 900}) as page:
            troubles = []
            page.on("pageerror", lambda error, found=troubles: found.append(error))
            page.goto(url)
            wait_state(page, "paused")
            title = page.locator("[data-part=finding-title]")
            expect(title).to_contain_text("program.py:5", timeout=PATIENCE_S * 1000)
            # It is taken there as soon as it is known.
            slot = page.locator("[data-part=slot]")
            expect(slot).to_have_attribute("data-slot", "blocked")
            lit = page.locator("[data-part=code-lines] [data-lit]")
            expect(lit).to_contain_text("time.sleep")
            expect(page.locator("[data-part=twin-rows] tr")).not_to_have_count(0)
            expect(page.get_by_text("nothing of it is live")).to_be_visible()
            assert troubles == []
