"""Watching programs of one's own: nothing to press, and one loop chosen of several."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import httpx
import pytest
from playwright.sync_api import expect


@pytest.fixture
def watching(tmp_path):
    """A dashboard that only watches; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard", "watch", "--port", str(port)],
        env=os.environ | {"LOOPSCOPE_DIR": str(tmp_path / "rings")},
        stdout=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        transport = httpx.HTTPTransport(retries=30)
        with httpx.Client(transport=transport, timeout=30) as client:
            client.get(f"{address}/healthz")
        yield address
    finally:
        process.terminate()
        process.wait()


def test_nothing_to_press_without_a_demo_app(browser, watching):
    """Neither buttons, nor stories, nor the load experiment."""
    with browser.new_context() as context:
        page = context.new_page()
        with page.expect_response("**/api/scenarios"):
            page.goto(watching)
        expect(page.get_by_text("nothing to press")).to_be_visible()
        for name in ("families", "open-stories", "open-experiment"):
            expect(page.locator(f'[data-part="{name}"]')).to_be_hidden()
        expect(page.get_by_text("Load experiment")).to_be_hidden()


#: A loop that waits, and then keeps itself for as long as it was told.
PROGRAM = """
import asyncio, sys, time
from dashboard import record

@record(title=sys.argv[1])
async def main():
    while True:
        await asyncio.sleep(0.2)
        time.sleep(float(sys.argv[2]))

asyncio.run(main())
"""


@pytest.fixture
def two_loops(tmp_path):
    """A calm program and one that blocks for a second at a time."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, name, seconds],
            env=os.environ | {"LOOPSCOPE_DIR": str(tmp_path / "rings")},
        )
        for name, seconds in (("calm", "0"), ("stuck", "1"))
    ]
    yield running
    for process in running:
        process.kill()
        process.wait()


def test_one_of_several_loops(browser, watching, two_loops):
    """Loops are told apart by name and pid; a blocked one is shown, unless another is chosen."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(watching)
        buttons = page.locator("[data-loop]")
        pids = [process.pid for process in two_loops]
        expect(buttons).to_have_text([f"calm· {pids[0]}", f"stuck· {pids[1]}"])
        lamp = page.locator("[data-part=lamp]")
        expect(lamp).to_have_attribute("data-lamp", "blocked")
        stuck = page.locator("[data-loop][title^=stuck]")
        expect(stuck).to_have_attribute("data-shown", "")

        calm = page.locator("[data-loop][title^=calm]")
        calm.click()
        expect(calm).to_have_attribute("aria-pressed", "true")
        expect(lamp).to_have_attribute("data-lamp", "idle")
        expect(page.locator("[data-part=lamp-detail]")).to_have_text("loop 1 of 2")
        expect(stuck).to_have_attribute("data-lamp", "blocked")
        expect(calm).to_have_attribute("data-shown", "")
        # A second press leaves the choice to what happens.
        calm.click()
        expect(stuck).to_have_attribute("data-shown", "")
