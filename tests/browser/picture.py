"""Make the README's pictures from the running product.

    LOOPSCOPE_BROWSER=/usr/bin/chromium python tests/browser/picture.py [FOLDER]

What they show happened: slow requests wait, one blocks, others stand at the door.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from conftest import ROOT, Product, launch
from playwright.sync_api import expect, sync_playwright

SIZE = {"width": 1280, "height": 800}
SLIDE = {"width": 1280, "height": 720}


def send(page, scenario: str, count: int, **params: float) -> None:
    """Send requests as the page's buttons do."""
    page.evaluate(
        """([scenario, count, params]) => fetch(`/api/trigger/${scenario}`, {
            method: "POST",
            headers: {"content-type": "application/json"},
            body: JSON.stringify({count, params}),
        })""",
        [scenario, count, params],
    )


def lamp(page, state: str) -> None:
    """Wait until the lamp shows a state."""
    expect(page.locator("[data-part=lamp]")).to_have_attribute("data-lamp", state)


def at_work(page) -> None:
    """Requests of three kinds, and none of them in another's way."""
    send(page, "slow", 5)
    page.wait_for_timeout(1400)
    send(page, "threaded", 3)
    page.wait_for_timeout(1200)
    send(page, "fast", 5)
    send(page, "slow", 6)
    page.wait_for_timeout(300)
    send(page, "threaded", 4)
    page.wait_for_timeout(350)


def block(page) -> None:
    """One request holds the loop, and others come meanwhile."""
    at_work(page)
    # Long enough for a slow machine to look at it.
    send(page, "blocking", 1, seconds=5)
    lamp(page, "blocked")
    for count in (4, 6):
        send(page, "fast", count)
        page.wait_for_timeout(350)


def step_through(page) -> None:
    """Go back to where a sleep was over, and look at the hand-over."""
    send(page, "slow", 6)
    page.wait_for_timeout(1900)
    lamp(page, "idle")
    phase = page.locator("[data-part=phase]")
    for _ in range(60):
        page.keyboard.press(",")
        page.wait_for_timeout(120)
        if "behind 3 others" in (phase.text_content() or ""):
            break
    page.wait_for_timeout(500)


#: What happens, how large, in which theme, at which address.
PICTURES = {
    "loopscope": (block, SIZE, "dark", "/"),
    "blocked": (block, SIZE, "light", "/"),
    "live": (at_work, SIZE, "light", "/"),
    "slow-motion": (step_through, SIZE, "dark", "/"),
    "presenter": (block, SLIDE, "light", "/?present"),
}


def main() -> None:
    """Write the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "static" / "img"
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name, (happen, size, scheme, address) in PICTURES.items():
            with tempfile.TemporaryDirectory() as rings:
                product = Product(rings).ready()
                try:
                    page = browser.new_page(viewport=size, color_scheme=scheme)
                    page.goto(product.url + address)
                    lamp(page, "idle")
                    happen(page)
                    page.screenshot(path=folder / f"{name}.png")
                    page.close()
                finally:
                    product.stop()
            print(folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
