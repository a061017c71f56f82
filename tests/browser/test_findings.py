"""The page says what is wrong, what to write instead, and what it has asked."""

from __future__ import annotations

from playwright.sync_api import expect


def part(page, name):
    """Find an element by the name that the template gives it."""
    return page.locator(f'[data-part="{name}"]')


def test_a_blocking_sleep_comes_with_what_to_write_instead(page):
    """The line as it is and as it would not hold the loop, below the verdict."""
    page.get_by_role("button", name="Blocking").first.click()

    expect(part(page, "fix")).to_contain_text("await asyncio.sleep(seconds)")
    expect(part(page, "fix")).to_contain_text("time.sleep(seconds)")


def test_every_check_is_listed_with_its_answer(page):
    """Thirteen questions, each with yes, no or later."""
    part(page, "checks-summary").click()

    expect(part(page, "asked").locator("li")).to_have_count(13)
    expect(part(page, "asked")).to_contain_text("Thread tokens exhausted")
