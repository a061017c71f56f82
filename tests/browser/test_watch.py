"""Without a demo app the page offers nothing that would do nothing."""

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
