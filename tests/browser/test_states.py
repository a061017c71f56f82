"""Every state of the page is designed: what it says when things are not as usual."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hands import press, wait_finished, wait_lamp, wait_state
from playwright.sync_api import expect

CARD = "[data-part=page-state]"


def test_first_visit_tells_what_to_press(page):
    """With nothing to see yet the page says what to press."""
    expect(page.locator(".empty")).to_be_visible()
    expect(page.locator(".empty")).to_contain_text("Press")
    expect(page.locator(CARD)).to_be_hidden()


def test_connecting(product, browser):
    """Until the dashboard has answered the page says that it is connecting."""
    context = browser.new_context()
    page = context.new_page()
    page.route("**/events*", lambda route: None)
    page.goto(product.url)

    wait_state(page, "connecting")
    expect(page.locator(CARD)).to_contain_text("Connecting")
    context.close()


def test_not_let_in(product, browser):
    """A page for which there is no seat says why, and watches as soon as there is one."""
    context = browser.new_context()
    page = context.new_page()
    full = {"detail": "600 viewers are watching"}
    page.route(
        re.compile("/events"), lambda route: route.fulfill(status=503, json=full)
    )
    page.goto(product.url)

    expect(page.locator(CARD)).to_contain_text("600 viewers are watching")
    page.unroute_all(behavior="wait")
    wait_state(page, "live")
    expect(page.locator(CARD)).to_be_hidden()
    context.close()


def test_behind_then_gone_then_live(page, product):
    """A dashboard that stops answering is first behind, then gone, and comes back."""
    os.kill(product.process.pid, signal.SIGSTOP)
    try:
        wait_state(page, "behind")
        expect(page.locator(CARD)).to_contain_text("old")
        wait_state(page, "lost")
        expect(page.locator(CARD)).to_contain_text("The dashboard is gone")
    finally:
        os.kill(product.process.pid, signal.SIGCONT)

    wait_state(page, "live")
    expect(page.locator(CARD)).to_be_hidden()


def test_news_in_bunches(product, browser):
    """Behind a proxy that buffers the page says that news comes late, and why."""
    context = browser.new_context()
    page = context.new_page()
    with buffering_proxy(product.url) as url:
        page.goto(url)
        expect(page.locator(CARD)).to_contain_text("News comes late", timeout=40_000)
        expect(page.locator(CARD)).to_contain_text("a proxy between")
        context.close()


@contextmanager
def buffering_proxy(dashboard):
    """Pass everything on, but of a stream only every now and then what has come."""
    hold_s = 1.5

    class Passing(BaseHTTPRequestHandler):
        def do_GET(self):
            # A page that is closed hangs up in the middle.
            with (
                suppress(OSError),
                urllib.request.urlopen(dashboard + self.path) as answer,
            ):
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.end_headers()
                is_stream = self.path.startswith("/events")
                held, let_go_s = b"", 0.0
                while data := answer.read1(1 << 16):
                    held += data
                    if not is_stream or time.monotonic() - let_go_s > hold_s:
                        self.wfile.write(held)
                        held, let_go_s = b"", time.monotonic()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Passing) as proxy:
        proxy.daemon_threads = True
        proxy.block_on_close = False
        threading.Thread(target=proxy.serve_forever).start()
        yield f"http://127.0.0.1:{proxy.server_port}"
        proxy.shutdown()


def test_demo_app_restarts_in_sight(page, product):
    """While the demo app restarts the card says so, and goes when it is back."""
    pid = product.get("/api/state")["loops"][0]["pid"]
    os.kill(pid, signal.SIGKILL)

    expect(page.locator("html[data-observed=restarting]")).to_be_attached()
    expect(page.locator(CARD)).to_contain_text("restarting")
    expect(page.locator("html[data-observed=recorded]")).to_be_attached()
    expect(page.locator(CARD)).to_be_hidden()


def test_paused_says_when(page):
    """A held picture says how long ago it was, and counts from its own end alone."""
    press(page, "Fast")
    wait_finished(page, 1)
    page.keyboard.press("Space")

    wait_lamp(page, "paused")
    expect(page.locator("[data-part=age]")).to_contain_text("s ago")
    detail = page.locator("[data-part=lamp-detail]")
    expect(detail).not_to_contain_text("−")
    page.keyboard.press(",")
    expect(detail).to_contain_text("−")
    expect(page.locator("[data-part=boxes-when]")).to_contain_text("−")


def test_no_loop_sleeps_that_cannot_run(page):
    """Of a process that is stopped the boxes say so, and not that its loop sleeps."""
    slot = page.locator("[data-part=slot]")
    expect(slot).to_contain_text("sleeps")
    with urllib.request.urlopen(f"{page.url}api/state", timeout=10) as answer:
        pid = json.load(answer)["loops"][0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        expect(slot).to_contain_text("Frozen")
        expect(page.locator("[data-part=phase]")).to_contain_text("is stopped")
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(slot).to_contain_text("sleeps")


def test_lost_records_are_counted(product, page, browser):
    """Records that were overwritten are counted, and their time is marked as unknown."""
    context = browser.new_context()
    other = context.new_page()
    hello = hello_of(product)
    snapshot = hello["snapshot"]
    snapshot["missed"] = 1200
    # What its loop did is lost from the first moment on.
    loop = next(lane[0] for lane in snapshot["lanes"] if lane[1] == 0)
    lost = hello["states"].index("lost")
    rows = snapshot["rows"]
    rows["state"] = [
        lost if lane == loop else state
        for lane, state in zip(rows["lane"], rows["state"], strict=True)
    ]
    body = f"event: hello\ndata: {json.dumps(hello)}\n\n"
    other.route(
        "**/events*",
        lambda route: route.fulfill(content_type="text/event-stream", body=body),
    )
    other.goto(product.url)

    told = other.locator("[data-part=sentences]")
    expect(told).to_contain_text("1,200 records lost")
    row = other.locator("[data-part=twin-rows] tr").first
    expect(row).to_contain_text("Unknown: its records were lost")
    context.close()


def hello_of(product):
    """Return the first event that a dashboard sends."""
    with urllib.request.urlopen(f"{product.url}/events", timeout=10) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                return json.loads(line[6:])
    pytest.fail("the stream ended before its first event")


@pytest.mark.parametrize("what", ["modules", "EventSource"])
def test_unsupported_browser(product, browser, what):
    """A browser that cannot run the page is told so, whether or not it runs scripts."""
    context = browser.new_context()
    page = context.new_page()
    if what == "modules":
        page.route("**/main.js", lambda route: route.abort())
    else:
        page.add_init_script("delete globalThis.EventSource")
    page.goto(product.url)

    words = page.locator("[data-part=unsupported]")
    expect(words).to_be_visible()
    expect(words).to_contain_text("browser")
    context.close()


def test_metrics_share_the_axis(page):
    """Numbers over time stand on the timeline's own axis and cursor."""
    press(page, "Slow", 5)
    wait_finished(page, 5)
    page.keyboard.press("n")
    strips = page.locator("[data-part=metrics-canvas]")
    expect(strips).to_be_visible()
    expect(page.locator("[data-part=boxes]")).to_be_hidden()
    timeline = page.locator("[data-part=canvas]").bounding_box()
    assert strips.bounding_box()["x"] == timeline["x"]
    assert strips.bounding_box()["width"] == timeline["width"]

    page.mouse.move(timeline["x"] + timeline["width"] - 100, timeline["y"] + 60)
    expect(page.locator("[data-part=metrics-head]")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("[data-part=boxes]")).to_be_visible()
