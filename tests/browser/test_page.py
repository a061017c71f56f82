"""The main job, in a real browser: press a button, and see the loop do it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hands import LAMP, press, wait_finished, wait_lamp, wait_state
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]


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


def rows(page, route):
    """Return the table's rows for a route."""
    return page.locator("[data-part=request-rows] tr", has_text=route)


@pytest.mark.parametrize(
    ("title", "route"),
    [("Fast", "/fast"), ("Slow", "/slow"), ("Threaded", "/threaded")],
)
def test_button(page, title, route):
    """Pressing a button sends a real request, which is drawn and listed."""
    with canvas_changes(page):
        press(page, title)

    wait_finished(page, 1)
    expect(rows(page, route)).to_have_count(1)
    expect(rows(page, route)).to_contain_text("200")


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
    longest = max(state["stalls"], key=lambda stall: stall["duration_ms"])
    stall = product.get(f"/api/stalls/{longest['id']}")
    victims = [each["id"] for each in stall["held_up"] if each["kind"] == "request"]
    assert sorted(victims) == sorted(each["id"] for each in fast), stall
    assert stall["victims"]["count"] == 20, stall


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


#: What makes the page wider than its window, with the words in it.
STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.getBoundingClientRect().right > width + 0.5)
    .map((element) => element.outerHTML.slice(0, 200));
}"""


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

    assert page.evaluate(STICKING_OUT) == []


HOSTILE = """
import asyncio, sys
from dashboard import record

MARKUP = "<img src=x onerror='window.owned=1'><script>window.owned=1</script>"

async def child():
    await asyncio.sleep(0.03)
    raise ValueError(MARKUP)

async def main():
    while True:
        child.__qualname__ = child.__name__ = MARKUP
        task = asyncio.create_task(child(), name=MARKUP)
        task.get_coro().__qualname__ = MARKUP
        await asyncio.wait([task])
        await asyncio.sleep(0.05)
        del task

asyncio.run(record(title=MARKUP)(main)())
"""


def test_names_of_others_are_inert(product, page):
    """Markup in a program's title, task names and errors is shown as text, never run."""
    program = subprocess.Popen(
        [sys.executable, "-c", HOSTILE],
        env=os.environ
        | {"LOOPSCOPE_DIR": str(product.folder), "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        expect(page.locator("body")).to_contain_text("<img src=x")
        page.reload()
        expect(page.locator("body")).to_contain_text("<img src=x")
    finally:
        program.kill()
        program.wait(20)

    assert page.evaluate("window.owned") is None
    assert page.locator("img[src=x]").count() == 0


def test_not_found(product, browser):
    """An unknown address gets a page in the house style."""
    page = browser.new_page()
    response = page.goto(f"{product.url}/nowhere")

    assert response.status == 404
    assert "There is nothing at /nowhere" in page.inner_text("body")
    assert page.locator("a[href='/']").count() >= 1
    page.close()


def test_step_through_a_hand_over(page):
    """Steps go backwards and forwards through what happened, told in words."""
    press(page, "Slow", 5)
    wait_finished(page, 5)
    phase = page.locator("[data-part=phase]")

    page.keyboard.press(",")
    wait_state(page, "paused")
    expect(phase).to_contain_text("is answered")
    last = phase.text_content()
    page.locator("[data-part=step-back]").click()
    expect(phase).not_to_have_text(last)
    expect(page.locator("[data-part=playhead]")).to_be_visible()
    page.keyboard.press(".")

    expect(phase).to_have_text(last)


def test_slow_motion(page):
    """Slow motion plays what is in sight, and everything follows the playhead."""
    press(page, "Slow", 5)
    wait_finished(page, 5)
    page.locator("[data-part=speed]").select_option("10")
    page.keyboard.press("r")

    expect(page.locator(LAMP)).to_contain_text("Slow motion 1/10")
    sleepers = page.locator("[data-part=waiting-groups] [data-group=sleep] .being")
    expect(sleepers).to_have_count(5)
    page.keyboard.press("Space")

    expect(page.locator(LAMP)).to_contain_text("Paused")
    page.keyboard.press("End")
    wait_state(page, "live")


def test_code_follows_the_row(product, page):
    """A row's real source is shown with the line where it waits, also after a reload."""
    # Longer than the button's, so that it still waits when a busy machine looks.
    order = {"params": {"seconds": 10}}
    assert page.request.post(f"{product.url}/api/trigger/slow", data=order).ok
    page.locator("[data-part=waiting-groups] [data-group=sleep] .being").click()
    lit = page.locator("[data-part=code-pane] [data-lit]")
    expect(lit).to_contain_text("await asyncio.sleep(seconds)")
    expect(page.locator("[data-part=code-verb]")).to_have_text("awaits here")

    press(page, "Blocking")
    wait_lamp(page, "blocked")
    page.reload()

    expect(lit).to_contain_text("time.sleep(seconds)")


def test_source_of_named_lines_only(page, product):
    """The code of a line that was recorded can be read, and no other file's."""
    press(page, "Slow")
    wait_finished(page, 1)
    found = product.get("/api/source?place=basics.py:31%20in%20slow")
    assert "await asyncio.sleep(seconds)" in found["code"]

    for place in ("routes.py:1 in page", "passwd:1 in root", "/etc/passwd:1 in root"):
        answer = page.request.get(f"{product.url}/api/source?place={place}")
        assert answer.status == 404


def test_table_sorts_filters_and_sums_up(page):
    """The table can be sorted, filtered and summed up by route; a row is pinned."""
    press(page, "Slow", 5)
    press(page, "Fast", 5)
    wait_finished(page, 10)
    totals = page.locator("[data-part=request-rows] .request-total")

    page.locator("[data-sort=total]").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    expect(totals.first).to_have_text(re.compile(r"^1,\d{3}$"))
    page.locator("[data-sort=total]").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    expect(totals.first).to_have_text(re.compile(r"^\d{1,3}(\.\d)?$"))

    page.locator("[data-part=request-filter]").fill("/slow >900")
    expect(totals).to_have_count(5)
    page.locator("[data-part=request-rows] tr").first.click()
    expect(page.locator("[data-part=request-words]")).to_contain_text("of your code")
    expect(page.locator("tr[aria-current]")).to_have_count(1)

    page.locator("[data-part=request-filter]").fill("")
    page.locator("[data-part=by-route]").click()
    routes = page.locator("[data-part=route-rows] tr")
    expect(routes).to_have_count(2)
    expect(routes.first).to_contain_text("GET /slow ×5")


def test_requests_under_way_are_listed(product, page):
    """During a stall the table shows who is held up, and for how long."""
    # Longer than the button's: on a busy machine a page takes seconds to look.
    order = {"params": {"seconds": 6}}
    assert page.request.post(f"{product.url}/api/trigger/blocking", data=order).ok
    wait_lamp(page, "blocked")
    press(page, "Fast", 5)

    expect(page.locator("tr[data-open]")).to_have_count(6)
    wait_finished(page, 6)
    expect(page.locator("tr[data-open]")).to_have_count(0)


def test_phases_of_a_request(product, page):
    """Of a chosen request the page tells what FastAPI was at, also after the answer."""
    address = f"{product.url}/api/trigger/background_async"
    order = {"count": 1, "params": {"seconds": 0.2}}
    assert page.request.post(address, data=order).ok
    wait_finished(page, 1)
    page.locator("[data-part=request-filter]").fill("/background_async")
    page.locator("[data-part=request-rows] tr").first.click()

    told = page.locator("[data-part=request-phases]")
    phases = "dependencies", "endpoint", "serialization", "background"
    for phase in phases:
        expect(told).to_contain_text(re.compile(rf"\b{phase}\s[\d.]+\s(ns|µs|ms|s)\b"))
    expect(told.locator("i:not([data-phase=''])")).to_have_count(len(phases))
