"""Make the README's picture from the running product.

    LOOPSCOPE_BROWSER=/usr/bin/chromium python tests/browser/picture.py [FILE]

What it shows happened: five slow requests, one that blocks, twenty that wait for it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from conftest import ROOT, Product, launch
from playwright.sync_api import expect, sync_playwright


def send(page, scenario: str, count: int) -> None:
    """Send requests as the page's buttons do."""
    page.evaluate(
        """([scenario, count]) => fetch(`/api/trigger/${scenario}`, {
            method: "POST",
            headers: {"content-type": "application/json"},
            body: JSON.stringify({count}),
        })""",
        [scenario, count],
    )


def main() -> None:
    """Write the picture."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    target = target or ROOT / "static" / "img" / "loopscope.png"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        product = Product(folder)
        browser = launch(playwright)
        try:
            page = browser.new_page(
                viewport={"width": 1440, "height": 900}, color_scheme="dark"
            )
            page.goto(product.url)
            lamp = page.locator("[data-part=lamp]")
            expect(lamp).to_have_attribute("data-lamp", "idle")
            send(page, "slow", 5)
            page.wait_for_timeout(1400)
            send(page, "threaded", 3)
            page.wait_for_timeout(1800)
            send(page, "fast", 5)
            send(page, "slow", 5)
            page.wait_for_timeout(500)
            send(page, "threaded", 2)
            send(page, "blocking", 1)
            expect(lamp).to_have_attribute("data-lamp", "blocked")
            for _ in range(10):
                send(page, "fast", 1)
                page.wait_for_timeout(70)
            page.wait_for_timeout(500)
            page.screenshot(path=target)
        finally:
            browser.close()
            product.stop()
    print(target)


if __name__ == "__main__":
    main()
