"""A recording that is dropped on the page is shown by the same page, and can only draw."""

from __future__ import annotations

import base64

import pytest
from made_up import make_recording
from playwright.sync_api import expect

PATIENCE_MS = 60_000
#: Each file is read by a process of its own, whose start is long on a busy machine.
pytestmark = pytest.mark.timeout(5 * PATIENCE_MS / 1000)
#: As a hand lets go of a file over the page.
LET_GO = """async ([data, name, size]) => {
  const bytes = data ? Uint8Array.from(atob(data), (c) => c.charCodeAt(0)) : new Uint8Array(size);
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  const told = { bubbles: true, cancelable: true, dataTransfer: transfer };
  const stage = document.querySelector("[data-part=canvas]");
  stage.dispatchEvent(new DragEvent("dragover", told));
  if (!("drop" in document.documentElement.dataset)) throw new Error("no drop is offered");
  stage.dispatchEvent(new DragEvent("drop", told));
}"""
HOSTILE = "<img src=x onerror='window.hacked = 1'>"


@pytest.fixture(scope="module")
def served(serve):
    """A dashboard that watches nobody."""
    return serve("--no-demo")


def let_go(page, data, name="shop.loopscope", size=0):
    """Drop a file on the page."""
    page.evaluate(LET_GO, [base64.b64encode(data).decode(), name, size])


def test_shows_its_stall(served, open_page):
    """A dropped file is a page of its own, with its stall and mark; names in it are text."""
    page = open_page(served.url)
    let_go(page, make_recording(HOSTILE))
    page.wait_for_url("**/recordings/*", wait_until="commit", timeout=PATIENCE_MS)
    title = page.locator("[data-part=finding-title]")

    expect(title).to_contain_text("shop.py:5 held the loop", timeout=PATIENCE_MS)
    expect(page.locator("[data-part=twin-rows]")).to_contain_text("sold out")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("self.origin") == "null"


def test_what_is_wrong_is_said(served, open_page):
    """Truncated, foreign and gigantic files are a sentence on the page, which goes on."""
    page = open_page(served.url, may_lose_connection=True)
    message = page.locator("[data-part=save-message]")
    let_go(page, make_recording()[:40])
    expect(message).to_contain_text("ends after 40 bytes", timeout=PATIENCE_MS)
    let_go(page, b"GIF89a" + bytes(50), "cat.gif")
    expect(message).to_contain_text("cat.gif is neither", timeout=PATIENCE_MS)
    let_go(page, b"", "huge.loopscope", 65 << 20)
    expect(message).to_contain_text("has more than 64 MB", timeout=PATIENCE_MS)
    page.locator("[data-part=drop-file]").set_input_files(
        {"name": "x.ring", "mimeType": "", "buffer": b"LOOPSCOP" + bytes(100)}
    )
    expect(message).to_contain_text("x.ring is not a ring", timeout=PATIENCE_MS)
    assert page.url.rstrip("/") == served.url


def test_a_second_file(served, open_page):
    """While one is read it is said at once, and of another that it has to wait; then why not."""
    page = open_page(served.url, may_lose_connection=True)
    message = page.locator("[data-part=save-message]")
    asked = []
    page.route("**/api/recordings?*", lambda route: asked.append(route))
    let_go(page, make_recording(), "first.loopscope")
    expect(message).to_contain_text("Reading first.loopscope: the dashboard makes")
    let_go(page, make_recording(), "second.loopscope")
    expect(message).to_contain_text("Reading first.loopscope")
    expect(message).to_contain_text("drop second.loopscope again after that")
    for _ in range(800):
        if asked:
            break
        page.wait_for_timeout(50)
    asked[0].fulfill(status=429, json={"detail": "somebody else's is read"})

    expect(message).to_have_text("somebody else's is read")
    assert len(asked) == 1
