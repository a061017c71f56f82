"""The main job, in a real browser: press a button, and see the loop do it."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

LAMP = "[data-part=lamp]"
COUNTS = "[data-part=request-counts]"


@contextmanager
def canvas_changes(page):
    """What happens inside changes what the canvas shows."""
    read = "document.querySelector('canvas').toDataURL()"
    before = page.evaluate(read)
    yield
    # Not `wait_for_function`: it evaluates text, which the page's policy forbids.
    for _ in range(200):
        if page.evaluate(read) != before:
            return
        page.wait_for_timeout(50)
    pytest.fail("the canvas did not change within 10 s")


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


def rows(page, route):
    """Return the table's rows for a route."""
    return page.locator("[data-part=request-rows] tr", has_text=route)


def wait_finished(page, count):
    """Wait until so many requests are finished, by the table's own count."""
    expect(page.locator(COUNTS)).to_contain_text(f"{count} finished")


@pytest.mark.parametrize(
    ("title", "route"),
    [("Fast", "/fast"), ("Slow", "/slow"), ("Threaded", "/threaded")],
)
def test_button(page, title, route):
    """Pressing a button sends a real request, which is drawn and listed."""
    with canvas_changes(page):
        press(page, title)

    wait_finished(page, 1)
    assert rows(page, route).count() == 1
    assert "200" in rows(page, route).inner_text()


def test_blocked_while_it_is_blocked(page, product):
    """The lamp and the line are there during the block, and it grows meanwhile."""
    press(page, "Blocking")

    expect(page.locator(LAMP)).to_have_attribute("data-lamp", "blocked")
    expect(page.locator(LAMP)).to_contain_text("in blocking")
    first = page.locator(LAMP).text_content()
    during = product.get("/api/state")
    expect(page.locator(LAMP)).not_to_have_text(first)
    assert [loop["state"] for loop in during["loops"]] == ["blocked"]
    assert during["loops"][0]["culprit"]["function"] == "blocking"
    assert [request["status"] for request in during["requests"]] == [0]

    wait_lamp(page, "idle")
    wait_finished(page, 1)


def test_requests_pile_up_at_the_door(page, product):
    """What is sent during a block stands at the door at once, and drains in the end."""
    press(page, "Blocking")
    wait_lamp(page, "blocked")
    press(page, "Fast", 20)

    expect(page.locator("[data-part=count-door]")).to_have_text("20")
    wait_lamp(page, "blocked")

    wait_finished(page, 21)
    state = product.get("/api/state")
    fast = [each for each in state["requests"] if each["route"] == "/fast"]
    assert len(fast) == 20
    for request in fast:
        # They were not late for anything of their own.
        assert request["split"]["outside_ms"] > request["split"]["running_ms"]
    assert state["stalls"][0]["victims"]["count"] == 20


def test_hundred_beside_twenty(page, product):
    """A hundred fast ones beside twenty slow ones: all counted, all sums right."""
    press(page, "Slow", 20)
    press(page, "Fast", 100)

    wait_finished(page, 120)
    state = product.get("/api/state")
    assert state["counts"] == {"requests": 120, "finished": 120, "open": 0}
    assert len(state["requests"]) == 120
    assert state["missed"] == 0
    for request in state["requests"]:
        parts = sum(request["split"].values())
        assert abs(parts - request["total_ms"]) < 1
    assert {request["status"] for request in state["requests"]} == {200}


def test_dashboard_comes_back(start, open_page):
    """When the dashboard is restarted the page notices, and recovers by itself."""
    first = start()
    page = open_page(first.url, may_lose_connection=True)
    wait_lamp(page, "idle")
    press(page, "Fast")
    wait_finished(page, 1)

    first.stop()
    wait_state(page, "lost")
    second = start(first.port)

    wait_state(page, "live")
    wait_lamp(page, "idle")
    press(page, "Fast", 5)
    wait_finished(page, 5)
    assert second.get("/api/state")["counts"]["requests"] == 5


def test_demo_app_comes_back(page, product):
    """When the demo app is killed the page says so, and its successor is shown."""
    pid = product.get("/api/state")["loops"][0]["pid"]
    os.kill(pid, signal.SIGKILL)

    expect(page.locator("[data-part=sentences]")).to_contain_text("killed by signal 9")
    for _ in range(200):
        loops = product.get("/api/state")["loops"]
        if any(loop["pid"] != pid and loop["state"] == "idle" for loop in loops):
            break
        page.wait_for_timeout(100)
    wait_lamp(page, "idle")
    press(page, "Fast")
    wait_finished(page, 1)


def test_pause_and_back_to_live(page):
    """Space pauses the view while recording goes on; End returns to live."""
    page.keyboard.press("Space")
    wait_state(page, "paused")
    press(page, "Fast", 5)
    wait_finished(page, 5)

    page.keyboard.press("End")

    wait_state(page, "live")


def test_source_is_one_click_away(page):
    """The handler's real source is shown, with its decorator."""
    page.locator(".trigger", has_text="Blocking").locator(".trigger-source").click()

    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    assert '@router.get("/blocking")' in dialog.inner_text()
    assert "time.sleep(seconds)" in dialog.inner_text()


def test_keys_are_listed(page):
    """The question mark lists the keys, Escape closes the list."""
    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()

    page.keyboard.press("Escape")

    page.locator("dialog[open]").wait_for(state="detached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (1280, 720), (720, 450)])
def test_fits(product, open_page, scheme, size):
    """Nothing sticks out sideways, in either theme, down to 200 % zoom."""
    width, height = size
    page = open_page(
        product.url,
        color_scheme=scheme,
        viewport={"width": width, "height": height},
    )

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_not_found(product, browser):
    """An unknown address gets a page in the house style."""
    page = browser.new_page()
    response = page.goto(f"{product.url}/nowhere")

    assert response.status == 404
    assert "There is nothing at /nowhere" in page.inner_text("body")
    assert page.locator("a[href='/']").count() >= 1
    page.close()
