"""A real dashboard, a real demo app and a real Chromium for every test in here."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Error, expect, sync_playwright

ROOT = Path(__file__).parents[2]
# Longer than anything here takes on a busy machine; only a broken promise waits.
expect.set_options(timeout=20_000)


class Product:
    """A `loopscope` process, and the addresses that it printed once it is `ready`."""

    def __init__(self, folder, port=0, *flags):
        self.folder = folder
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "dashboard",
                *("--port", str(port), "--demo-port", "0"),
                *flags,
            ],
            cwd=ROOT,
            env=os.environ | {"LOOPSCOPE_DIR": str(folder), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ready(self):
        """Wait for its address; return itself."""
        first = self.process.stdout.readline()
        found = re.search(r"http://\S+:(\d+)", first)
        assert found, f"loopscope printed {first!r} instead of its address"
        self.url = found[0]
        self.port = int(found[1])
        return self

    def get(self, path):
        """Return an answer's JSON."""
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return json.load(response)

    def hand_out(self, path):
        """Write the page with all that is kept as a file, and return where it is."""
        address = f"{self.url}/api/export/page.html"
        with urllib.request.urlopen(address, timeout=60) as response:
            path.write_bytes(response.read())
        return path

    def stop(self):
        """End it as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(40)
        self.process.stdout.close()


def launch(playwright):
    """Start Chromium, the one that `make test` found."""
    return playwright.chromium.launch(
        executable_path=os.environ.get("LOOPSCOPE_BROWSER") or None,
        # Chromium's own sandbox does not work for root, as in most containers.
        args=["--no-sandbox"] if os.geteuid() == 0 else [],
    )


@pytest.fixture(scope="session")
def browser():
    """Chromium, the one that `make test` found."""
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except Error as error:
            pytest.fail(
                f"no Chromium: set LOOPSCOPE_BROWSER, or use make test ({error})"
            )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def take_fresh(tmp_path_factory):
    """Give a dashboard that nobody had; the next one starts while a test runs."""
    coming = []

    def take_fresh():
        if not coming:
            coming.append(Product(tmp_path_factory.mktemp("rings")))
        coming.append(Product(tmp_path_factory.mktemp("rings")))
        return coming.pop(0).ready()

    yield take_fresh
    for product in coming:
        product.ready().stop()


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Start a dashboard with flags of its own for all tests of a file."""
    started = []

    def serve(*flags):
        folder = tmp_path_factory.mktemp("rings")
        started.append(Product(folder, 0, *flags).ready())
        return started[-1]

    yield serve
    for product in started:
        product.stop()


@pytest.fixture
def start(tmp_path, take_fresh):
    """Start dashboards, and end them all afterwards."""
    started = []

    def start(port=0):
        product = Product(tmp_path / "rings", port).ready() if port else take_fresh()
        started.append(product)
        return product

    yield start
    for product in started:
        product.stop()


@pytest.fixture
def product(start):
    """One dashboard."""
    return start()


@pytest.fixture
def open_page(browser):
    """Open pages; afterwards none of them may have had an error."""
    contexts = []
    troubles = []

    def open_page(url, *, may_lose_connection=False, **options):
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))

        def on_console(message):
            is_network = "net::ERR" in message.text or "Failed to load" in message.text
            if message.type == "error" and not (may_lose_connection and is_network):
                troubles.append(message.text)

        page.on("console", on_console)
        page.goto(url)
        expect(page.locator("html")).to_have_attribute("data-state", "live")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def open_file(browser):
    """Open files with the network off; nothing may be asked for, or go wrong."""
    contexts = []
    troubles = []

    def asked(request):
        if not request.url.startswith(("file:", "data:")):
            troubles.append(request.url)

    def complained(message):
        if message.type == "error":
            troubles.append(message.text)

    def open_file(file, address="", **options):
        options.setdefault("viewport", {"width": 1440, "height": 900})
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", complained)
        page.on("request", asked)
        page.goto(file.as_uri() + address)
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def page(product, open_page):
    """The page of a fresh dashboard whose demo app is up and idle."""
    page = open_page(product.url)
    page.wait_for_selector("[data-part=lamp][data-lamp=idle]")
    return page
