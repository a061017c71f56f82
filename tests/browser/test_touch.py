"""Fingers on the timeline: pinch, drag, tap, and a page that still scrolls below them."""

from __future__ import annotations

import pytest
from hands import held, near, press, reaches, wait_finished, wait_lamp, wait_state
from playwright.sync_api import expect

CANVAS = "[data-part=canvas]"
TABLET = {"width": 1024, "height": 900}
PHONE = {"width": 412, "height": 800}


class Fingers:
    """Fingers on the canvas of a page; places are pixels from its upper left corner."""

    def __init__(self, page):
        self.page = page
        self.session = page.context.new_cdp_session(page)
        page.locator(CANVAS).scroll_into_view_if_needed()
        self.box = page.locator(CANVAS).bounding_box()
        style = "getComputedStyle(document.documentElement)"
        length = page.evaluate(f"{style}.getPropertyValue('--canvas-gutter')")
        self.left = float(length.removesuffix("px"))
        self.width = self.box["width"] - self.left

    def at(self, share, y=0.5):
        """Return the place at a share of the picture's width and height."""
        return round(self.left + share * self.width), round(y * self.box["height"])

    def put(self, kind, *places, first=0):
        """Tell the browser where fingers are now, from the first one on."""
        points = [
            {"x": self.box["x"] + x, "y": self.box["y"] + y, "id": i}
            for i, (x, y) in enumerate(places, first)
        ]
        event = {"type": kind, "touchPoints": points}
        self.session.send("Input.dispatchTouchEvent", event)

    def move(self, *ways, steps=10):
        """Move each finger from one place to another, all of them at once."""
        for k in range(1, steps + 1):
            places = [
                (x + (x1 - x) * k / steps, y + (y1 - y) * k / steps)
                for (x, y), (x1, y1) in ways
            ]
            self.put("touchMove", *places)

    def drag(self, start, end):
        """One finger goes from one place to another."""
        self.put("touchStart", start)
        self.move((start, end))
        self.put("touchEnd")


@pytest.fixture(scope="module")
def shared(serve):
    """One dashboard for all pages of this file."""
    return serve()


@pytest.fixture
def touch(shared, open_page):
    """Open a page of this size that has a touch screen, its loop idle."""

    def touch(size):
        page = open_page(shared.url, viewport=size, has_touch=True)
        wait_lamp(page, "idle")
        return page

    return touch


def test_pinch_and_go_on_with_one(touch):
    """Two fingers zoom, what is below them stays there; the one that is left pans."""
    page = touch(TABLET)
    page.keyboard.press("Space")
    wait_state(page, "paused")
    start, length = held(page)
    fingers = Fingers(page)
    px = length / fingers.width
    (x, y) = fingers.at(0.6)

    fingers.put("touchStart", (x - 50, y))
    fingers.put("touchStart", (x - 50, y), (x + 50, y))
    fingers.move(((x - 50, y), (x - 100, y)), ((x + 50, y), (x + 100, y)))
    is_half = near(length / 2, 4 * px)
    zoomed, half = held(page, lambda _, now: is_half(now))
    middle = (x - fingers.left) / fingers.width
    assert near(start + middle * length, 2 * px)(zoomed + middle * half)

    fingers.put("touchEnd", (x + 100, y), first=1)
    fingers.move(((x - 100, y), (x - 20, y)))
    fingers.put("touchEnd")
    is_there = near(zoomed - 80 * half / fingers.width, 2 * px)
    held(page, lambda now, _: is_there(now))


def test_drag_moves_through_time(touch):
    """One finger takes the picture with it, and holds it."""
    page = touch(TABLET)
    page.keyboard.press("Space")
    start, length = held(page)
    fingers = Fingers(page)
    x, y = fingers.at(0.4)

    fingers.drag((x, y), (x + 120, y + 30))
    px = length / fingers.width
    is_there = near(start - 120 * px, 2 * px)
    held(page, lambda now, same: is_there(now) and near(length, px)(same))


def test_tap_tells(touch):
    """A tap tells what is under the finger, there; another one elsewhere hides it."""
    page = touch(TABLET)
    tooltip = page.locator("[data-part=tooltip]")
    page.keyboard.press("Space")
    wait_state(page, "paused")
    fingers = Fingers(page)
    # The loop's row is below the axis; just before now it did something for sure.
    x, y = fingers.at(0.96, 0)[0], 50
    fingers.put("touchStart", (x, y))
    fingers.put("touchEnd")

    expect(tooltip).to_be_visible()
    expect(page.locator("[data-part=tooltip-name]")).to_contain_text("loopscope demo")
    expect(page.locator("[data-part=selection]")).to_contain_text("loopscope demo")
    box = tooltip.bounding_box()
    at_x, at_y = fingers.box["x"] + x, fingers.box["y"] + y
    assert box["x"] - 30 <= at_x <= box["x"] + box["width"] + 30
    assert box["y"] - 30 <= at_y <= box["y"] + box["height"] + 30

    fingers.put("touchStart", fingers.at(0.03, 0.95))
    fingers.put("touchEnd")
    expect(tooltip).to_be_hidden()


def test_page_scrolls_below_a_finger(touch):
    """Where no rows are to be scrolled a finger scrolls the page, and time goes on."""
    page = touch(PHONE)
    fingers = Fingers(page)
    before = page.evaluate("scrollY")
    fingers.drag(fingers.at(0.5, 0.8), fingers.at(0.5, 0.2))

    reaches(page, "scrollY", lambda now: now > before + 50)
    wait_state(page, "live")


def test_rows_scroll_before_the_page(touch):
    """A finger scrolls rows as far as there are any, and then the page."""
    page = touch(PHONE)
    press(page, "Fast", 100)
    wait_finished(page, 100)
    page.keyboard.press("Space")
    page.locator(f"{CANVAS}[data-overflows]").wait_for()
    fingers = Fingers(page)
    rows = "document.querySelectorAll('[data-part=twin-rows] th')"
    last = f"Array.from({rows}, (row) => row.textContent).at(-1) ?? ''"
    newest = reaches(page, last, lambda name: name.endswith("/fast"))
    before = page.evaluate("scrollY")
    low, high = fingers.at(0.5, 0.8), fingers.at(0.5, 0.3)

    fingers.drag(high, (high[0], high[1] + 20))
    reaches(page, last, lambda name: name != newest)
    assert page.evaluate("scrollY") == before

    fingers.drag(low, high)
    reaches(page, last, lambda name: name == newest)
    fingers.drag(low, high)
    reaches(page, "scrollY", lambda now: now > before + 50)


def test_a_word_tells_what_it_means(touch):
    """A word says what it means to a finger, a pointer and the focus, and Escape ends that."""
    page = touch(TABLET)
    lag = page.locator("button[data-means=lag]")
    meaning = page.locator("[data-part=meaning]")
    lag.tap()
    expect(meaning).to_contain_text("How late timers are")
    page.keyboard.press("Escape")
    expect(meaning).to_be_hidden()

    lag.focus()
    expect(meaning).to_contain_text("How late timers are")
    expect(lag).to_have_attribute("aria-describedby", "meaning")
    page.keyboard.press("Tab")
    expect(meaning).to_be_hidden()

    page.locator(".legend [data-means=due]").hover()
    expect(meaning).to_contain_text("the loop has not looked yet")
    page.mouse.move(5, 5)
    expect(meaning).to_be_hidden()
