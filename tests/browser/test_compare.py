"""Two recordings on one axis: what was blocked beside what was fixed."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request

import pytest
from playwright.sync_api import expect
from pressing import Product


@pytest.fixture
def comparing(tmp_path):
    """A dashboard that compares a blocked loop with one that waits; its address."""
    product = Product(tmp_path / "rings")
    files = []
    try:
        for scenario in ("blocking", "slow"):
            product.press(scenario)
            files.append(tmp_path / f"{scenario}.loopscope")
            with urllib.request.urlopen(f"{product.url}/api/recording") as answer:
                files[-1].write_bytes(answer.read())
    finally:
        product.stop()
    command = [sys.executable, "-m", "dashboard", "compare", *map(str, files)]
    process = subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    yield re.search(r"http://\S+", process.stdout.readline())[0]
    process.terminate()
    process.wait(20)
    process.stdout.close()


def pixels(page):
    """Return what both canvases show."""
    return page.evaluate(
        "[...document.querySelectorAll('canvas')].map((each) => each.toDataURL())"
    )


def test_compared(comparing, open_page):
    """A sentence, both timelines and a table; keys move both at once."""
    page = open_page(f"{comparing}/compare")

    expect(page.locator("[data-part=sentence]")).to_contain_text("The loop was held")
    expect(page.locator("[data-part=routes] tr")).to_have_count(2)
    expect(page.locator("[data-part=count-1]")).to_have_text("2 requests")
    page.locator("[data-part=stage]").focus()
    whole = pixels(page)
    assert whole[0] != whole[1]
    page.keyboard.press("+")
    page.wait_for_function(
        "(was) => [...document.querySelectorAll('canvas')]"
        ".every((each, i) => each.toDataURL() !== was[i])",
        arg=whole,
    )
    page.keyboard.press("0")
    page.wait_for_function(
        "(was) => [...document.querySelectorAll('canvas')]"
        ".every((each, i) => each.toDataURL() === was[i])",
        arg=whole,
    )
