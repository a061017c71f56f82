"""Make the README's picture of the load experiment from the running product.

    LOOPSCOPE_BROWSER=/usr/bin/chromium python tests/browser/picture_of_load.py [FILE]

What it shows happened: 60 users, three ways to wait 100 ms. Best on a quiet machine.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from conftest import ROOT, Product, launch
from playwright.sync_api import sync_playwright

LONG_MS = 120_000


def main() -> None:
    """Write the picture."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    target = target or ROOT / "static" / "img" / "load.png"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        product = Product(Path(folder)).ready()
        browser = launch(playwright)
        try:
            page = browser.new_page(
                viewport={"width": 1440, "height": 900}, color_scheme="dark"
            )
            page.goto(f"{product.url}/?experiment")
            page.wait_for_selector("[data-part=lamp][data-lamp=idle]", timeout=LONG_MS)
            for name, value in (("users", 60), ("spawn_rate", 6), ("seconds", 15)):
                page.locator(f"input[name={name}]").fill(str(value))
            page.locator("[data-part=experiment-start]").click()
            page.wait_for_selector(
                "[data-part=experiment-save]:not([hidden])", timeout=LONG_MS
            )
            page.screenshot(path=target)
        finally:
            browser.close()
            product.stop()
    print(target)


if __name__ == "__main__":
    main()
