"""What a viewer's hands and eyes do on the page, for the tests in a browser."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from playwright.sync_api import expect

LAMP = "[data-part=lamp]"
COUNTS = "[data-part=request-counts]"


def wait_lamp(page, state):
    """Wait until the lamp shows a state."""
    expect(page.locator(LAMP)).to_have_attribute("data-lamp", state)


def wait_state(page, state):
    """Wait until the page is live, paused or has lost its dashboard."""
    expect(page.locator("html")).to_have_attribute("data-state", state)


def press(page, title, count=1):
    """Choose how many, and press a button."""
    page.get_by_role("radio", name=str(count), exact=True).check(force=True)
    page.locator(".trigger-send", has_text=title).click()


def wait_finished(page, count):
    """Wait until so many requests are finished, by the table's own count."""
    expect(page.locator(COUNTS)).to_contain_text(f"{count} finished")


def reaches(page, script, is_wanted):
    """Wait until what a script finds is as wanted, and return it."""
    for _ in range(800):
        found = page.evaluate(script)
        if is_wanted(found):
            return found
        page.wait_for_timeout(50)
    return pytest.fail(f"after 40 s it is still {found!r}")


def held(page, is_wanted=lambda start, length: True):
    """Wait until the address tells of such a stretch; return its start and length."""
    found = reaches(
        page,
        "location.hash.slice(1)",
        lambda text: "from=" in text and is_wanted(*sight(text)),
    )
    return sight(found)


def sight(text):
    """Return the beginning and the length of what an address shows."""
    fields = parse_qs(text)
    start, end = int(fields["from"][0]), int(fields["to"][0])
    return start, end - start


def near(wanted, tolerance):
    """Compare with what was worked out, but for a pixel or two."""
    return lambda value: abs(value - wanted) <= tolerance
