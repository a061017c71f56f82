"""What a viewer's hands and eyes do on the page, for the tests in a browser."""

from __future__ import annotations

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
