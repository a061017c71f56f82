"""Stories in a real browser: predict, press, read what was measured, compare."""

from __future__ import annotations

import pytest
from hands import held, wait_state
from playwright.sync_api import expect

#: Numbers and names in the boxes that lie on each other, or beyond what holds them.
CRAMPED = """() => [...document.querySelectorAll(".box h2, .queue .being")].flatMap((each) => {
    const edge = each.getBoundingClientRect();
    const shown = [...each.children].filter((part) => part.checkVisibility());
    return shown.filter((part, i) => {
        const {left, right} = part.getBoundingClientRect();
        const before = shown[i - 1]?.getBoundingClientRect().right ?? edge.left;
        const isCut = part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0;
        return left < before - 1 || right > edge.right + 1 || isCut;
    }).map((part) => `${each.textContent.trim()}: ${part.textContent}`);
})"""


def open_story(page, story):
    """Open a story from the list."""
    page.keyboard.press("o")
    page.locator(f"button[data-story={story}]").click()
    expect(page.locator("[data-part=story]")).to_be_visible()


def variant(page, scenario):
    """Return a variant's card."""
    return page.locator(f"[data-variant={scenario}]")


def test_question_first(page):
    """The question stands there first, the lesson once something has been measured."""
    open_story(page, "await_together")
    heading = page.locator("[data-part=story-heading]")
    expect(heading).to_contain_text("How long does it take?")
    expect(page.locator("[data-part=story-code]")).to_contain_text(
        '@router.get("/awaits_in_a_row")'
    )

    variant(page, "awaits_gathered").locator(".variant-send").click()

    words = variant(page, "awaits_gathered").locator(".variant-words")
    expect(words).to_contain_text("in 3 tasks more")
    expect(heading).to_contain_text("Awaits in a row add up")


def test_culprit_is_lit(page):
    """After a block the line that held the loop is lit in the story's code."""
    open_story(page, "sync_called_from_async")
    variant(page, "sync_in_async").locator(".variant-send").click()
    expect(variant(page, "sync_in_async").locator(".variant-words")).to_be_visible()

    lit = page.locator("[data-part=story-code] [data-lit]")
    expect(lit).to_have_count(1)
    expect(lit).to_contain_text("time.sleep(seconds)")


# A story that blocks for two seconds, and a page to hold: long on a starved machine.
@pytest.mark.timeout(120)
def test_talk_is_not_cramped(product, open_page):
    """In a talk, beside a story, headings, numbers and times in the boxes do not touch."""
    page = open_page(
        f"{product.url}/?present&story=one_block",
        viewport={"width": 1280, "height": 720},
    )
    page.locator("[data-part=lamp][data-lamp=idle]").wait_for()
    page.keyboard.press("PageDown")
    expect(variant(page, "block_and_others").locator(".variant-words")).to_be_visible()
    # The one just pressed: a start-up on a busy machine is longer.
    stalls = product.get("/api/state")["stalls"]
    blocks = [each for each in stalls if "/blocking" in each["label"]]
    stall = max(blocks, key=lambda each: each["start_ns"])

    page.keyboard.press(",")
    wait_state(page, "paused")
    held(page)
    # Shortly before its end, when the others stood at the door.
    at = round(stall["start_ns"] + stall["duration_ms"] * 0.95e6)
    page.evaluate(f"location.hash = location.hash.replace(/&at=\\d*/, '') + '&at={at}'")
    expect(page.locator("[data-part=slot]")).to_have_attribute("data-slot", "blocked")
    assert page.evaluate(CRAMPED) == []


def test_articles_are_measured(product, browser):
    """A press on a claim measures what its numbers need, and fills them in."""
    page = browser.new_page()
    page.goto(f"{product.url}/articles")
    claim = page.locator(".claim", has_text="implicitly wraps synchronous functions")
    expect(claim.locator(".unmeasured")).to_be_visible()
    expect(claim.locator(".verdict")).to_be_hidden()
    expect(claim.locator(".fact").first).to_be_hidden()

    claim.locator("[data-measure]").click()

    expect(claim.locator(".fact").first).to_contain_text("in fetch_report")
    expect(claim.locator(".verdict")).to_have_text("false")
    expect(claim.locator(".verdict")).to_be_visible()
    expect(claim.locator("[data-measure]")).to_be_enabled()
    page.reload()
    expect(claim.locator(".fact").first).to_contain_text("in fetch_report")
    page.close()


def test_talk_by_clicker(page, product):
    """Page Down alone leads from a question on; the way back forgets no result."""
    page.keyboard.press("PageDown")
    count = page.locator("[data-part=story-count]")
    expect(count).to_contain_text("1 of")
    open_story(page, "lock_across_io")
    page.keyboard.press("PageDown")
    expect(variant(page, "lock_held").locator(".variant-words")).to_be_visible()
    # While one is under way a press is no step.
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    expect(variant(page, "lock_short").locator(".variant-words")).to_be_visible()
    results = product.get("/api/results")
    assert {"lock_held", "lock_short"} <= set(results)

    page.keyboard.press("PageDown")
    expect(page.locator("[data-part=story-heading]")).to_contain_text("asyncio.timeout")
    page.keyboard.press("PageUp")
    expect(page.locator("[data-part=story-heading]")).to_contain_text("same lock")
    expect(variant(page, "lock_held").locator(".variant-words")).to_have_count(0)
    # What is known is told again, and not sent again.
    sent = []
    page.on("request", lambda request: request.method == "POST" and sent.append(1))
    page.keyboard.press("PageDown")
    expect(variant(page, "lock_held").locator(".variant-words")).to_be_visible()
    assert sent == []

    page.keyboard.press("Escape")
    expect(page.locator(".triggers")).to_be_visible()


def test_clicker_leaves_the_list(page):
    """Out of the list Page Down goes on with the talk, Page Up back to where it was."""
    stories = page.locator("[data-part=story-list]")
    count = page.locator("[data-part=story-count]")
    page.keyboard.press("o")
    expect(stories).to_be_visible()
    page.keyboard.press("PageDown")
    expect(stories).to_be_hidden()
    expect(count).to_contain_text("1 of")

    page.keyboard.press("o")
    expect(stories).to_be_visible()
    page.keyboard.press("PageUp")
    expect(stories).to_be_hidden()
    expect(count).to_contain_text("1 of")


def test_race(page):
    """Two variants are drawn on one axis, with their numbers below."""
    open_story(page, "lock_across_io")
    page.locator("[data-part=story-race]").click()
    page.locator("[data-part=race-start]").click()

    rows = page.locator("[data-part=race-numbers] tr")
    expect(rows.first).to_contain_text("until all were answered")
    expect(page.locator("[data-part=race-start]")).to_be_enabled()
    expect(rows.first.locator("td").nth(1)).to_have_attribute("data-least", "true")
    for i in range(2):
        canvas = page.locator(f"[data-part=race-canvas-{i}]")
        painted = canvas.evaluate(
            "c => c.getContext('2d').getImageData(0, 0, c.width, c.height)"
            ".data.some(x => x)"
        )
        assert painted


def test_what_is_missing_is_said(page):
    """A variant that needs a server says how to get it, and cannot be pressed."""
    open_story(page, "database_driver")

    card = variant(page, "postgres_async")
    expect(card).to_contain_text("set LOOPSCOPE_POSTGRES")
    expect(card.locator(".variant-send")).to_be_disabled()


def test_story_by_address(page, product, open_page):
    """An address can name a story; the buttons beside keep to the basic ones."""
    assert page.locator(".trigger-send").count() == 4

    other = open_page(f"{product.url}/?story=gil")

    expect(other.locator("[data-part=story-heading]")).to_contain_text("notice it")
