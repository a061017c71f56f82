"""One stall as whoever pressed the button sees it: the line, whom it hurt, and why."""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from hands import LAMP, wait_lamp
from playwright.sync_api import expect

SHOP = '''"""Our shop."""
import pathlib, time


def fetch(seconds):
    time.sleep(seconds)


async def report():
    fetch(1.8)
    time.sleep(1.2)


async def held():
    # Until it is told to go on, which no test takes a minute for.
    go = pathlib.Path(__file__).with_name("go")
    until = time.monotonic() + 60
    while not go.exists() and time.monotonic() < until:
        time.sleep(0.01)


async def turn():
    # Until it finds a ticket, which is one turn's.
    here = pathlib.Path(__file__).parent
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for ticket in here.glob("ticket-*"):
            ticket.unlink()
            return
        time.sleep(0.01)


STORIES = [
    {
        "id": "shop",
        "title": "A report that blocks at two lines",
        "question": "Who waits?",
        "look": "the others",
        "variants": [{"id": "report", "handler": "report", "others": 8}],
    },
    {
        "id": "door",
        "title": "A handler that holds the loop until it is told",
        "question": "Who stands at the door?",
        "look": "the others",
        "variants": [{"id": "held", "handler": "held"}],
    },
    {
        "id": "turns",
        "title": "Handlers that hold the loop one after the other",
        "question": "Who is ready?",
        "look": "those behind the second",
        "variants": [{"id": "turn", "handler": "turn"}],
    },
]
'''
#: Paint of exactly one colour, on all of the canvas.
COUNT_PIXELS = """() => {
    const style = getComputedStyle(document.documentElement);
    const hex = style.getPropertyValue("--stripe-held").trim();
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const canvas = document.querySelector("[data-part=canvas]");
    const context = canvas.getContext("2d");
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
        if (data[i] === r && data[i + 1] === g && data[i + 2] === b) count += 1;
    }
    const lamp = document.querySelector("[data-part=lamp]").dataset.lamp;
    return { count, lamp };
}"""


@pytest.fixture(scope="module")
def product(serve, tmp_path_factory):
    """One dashboard for all, whose demo app has a handler of ours."""
    shop = tmp_path_factory.mktemp("shop") / "shop.py"
    shop.write_text(SHOP)
    product = serve("--stories", str(shop))
    product.go = shop.with_name("go")
    return product


def part(page, name):
    """Find an element by the name that the template gives it."""
    return page.locator(f"[data-part={name}]")


def send(page, scenario, **order):
    """Press a scenario's button: all that belongs to it is sent, or so many. Return
    what was answered."""
    return page.evaluate(
        """async ([id, body]) => {
            const answer = await fetch(`/api/trigger/${id}`, { method: "POST", body });
            return answer.json();
        }""",
        [scenario, json.dumps(order)],
    )


def wait_stripes(page, is_right):
    """Wait until the lamp and the paint of stripes on the canvas are right together."""
    for _ in range(400):
        seen = page.evaluate(COUNT_PIXELS)
        if is_right(seen):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"the canvas shows {seen}")


def set_threshold(page, ms):
    """Write another threshold where it is shown."""
    part(page, "stall-ms").fill(str(ms))
    part(page, "stall-ms").press("Enter")


@pytest.mark.parametrize(
    ("scheme", "mode"), [("light", ""), ("dark", "?present")], ids=["light", "dark"]
)
def test_victims_are_striped(product, open_page, scheme, mode):
    """While the loop is blocked whoever it holds up is hatched, in every look."""
    page = open_page(f"{product.url}/{mode}", color_scheme=scheme)
    wait_lamp(page, "idle")
    send(page, "report")

    # At least what a legend's sample would have, for each of the eight.
    wait_stripes(page, lambda seen: seen["lamp"] == "blocked" and seen["count"] > 800)
    wait_lamp(page, "idle")


def test_threshold_changed_live(product, open_page):
    """What is a stall is said by a number on the page: red, stripes and finding follow
    it, for what is over as well; what is out of range is refused in words."""
    # The refusal is an answer of its own, which Chromium calls a network error.
    page = open_page(product.url, may_lose_connection=True)
    send(page, "report")
    wait_lamp(page, "blocked")
    wait_lamp(page, "idle")
    wait_stripes(page, lambda seen: seen["count"] > 800)

    set_threshold(page, 9000)
    wait_stripes(page, lambda seen: seen["count"] == 0)
    assert product.get("/api/settings")["stall_ms"] == 9000
    set_threshold(page, 10)
    expect(part(page, "sentences")).to_contain_text("from 20 to 60000")
    set_threshold(page, 100)
    wait_stripes(page, lambda seen: seen["count"] > 800)


def test_stall_in_full(product, open_page, open_file, tmp_path):
    """The line while it lasts and its code, whom it hurt in a sentence, how the samples
    split, and on demand the stack, with other people's part of it folded away; all but
    the first, which is over, in a file that is handed out, too."""
    page = open_page(product.url)
    send(page, "report")
    expect(page.locator(LAMP)).to_contain_text("shop.py:6 in fetch")
    expect(part(page, "finding-title")).to_have_text("shop.py:6 holds the loop")
    expect(part(page, "code-pane").locator("[data-stall] [data-lit]")).to_contain_text(
        "time.sleep(seconds)"
    )
    wait_lamp(page, "idle")
    look_at_stall(page)

    look_at_stall(open_file(product.hand_out(tmp_path / "page.html")))


def test_somebody_else_at_the_door(product, open_page):
    """The row of a request that nobody announced says how long it may have waited."""
    # Of a first try that failed.
    product.go.unlink(missing_ok=True)
    page = open_page(product.url)
    wait_lamp(page, "idle")
    demo = page.locator(".demo-link a[href$='/openapi.json']").get_attribute("href")
    send(page, "held")
    wait_lamp(page, "blocked")
    # All of it lies at the door by then: what comes in later has not waited there.
    other = HTTPConnection(urlsplit(demo).netloc, timeout=120)
    other.request("GET", "/fast")
    expect(part(page, "count-door")).to_have_text("1")
    product.go.touch()
    assert other.getresponse().status == 200
    other.close()

    row = part(page, "request-rows").locator("tr", has_text="/fast").first
    expect(row.locator(".at-door")).to_have_text(re.compile(r"^door ≤ \d"))
    expect(row).to_have_attribute("title", re.compile("may have waited at the door"))
    part(page, "by-route").click()
    route = part(page, "route-rows").locator("tr", has_text="/fast")
    expect(route.locator(".at-door")).to_have_text(re.compile(r"^door ≤ \d"))


def test_who_was_read_is_ready(product, open_page):
    """Of those that stood at the door while the first held the loop, all but the second,
    which holds it now, are ready: they were read, and their turn has not come. Their
    marks and rows say so, too, and the panel that it is the second in a row."""
    page = open_page(product.url)
    wait_lamp(page, "idle")
    send(page, "turn")
    wait_lamp(page, "blocked")
    batch = send(page, "turn", count=4)["batch"]
    expect(part(page, "count-door")).to_have_text("4")
    # They were announced; now they are sent, if not all in time on a busy machine.
    page.wait_for_timeout(500)
    give_tickets(product, 1)

    expect(part(page, "count-ready")).to_have_text(re.compile("^[1-3]$"))
    ready = int(part(page, "count-ready").inner_text())
    expect(part(page, "count-door")).to_have_text(str(3 - ready))
    expect(part(page, "phase")).to_contain_text(f"{ready} ready")
    expect(part(page, "ready").locator(".nameless")).to_have_count(ready)
    expect(part(page, "door").locator(".nameless")).to_have_count(3 - ready)
    said = re.compile("^Read by the loop" if ready == 3 else "^At the door, or read by")
    expect(part(page, "twin-rows").locator("td").filter(has_text=said)).to_have_count(3)
    row = re.compile(r"^\d+ in a row so far\.$")
    expect(part(page, "finding-row")).to_have_text(row)
    give_tickets(product, 4)
    wait_lamp(page, "idle")
    # What the first one took is not counted as the others' own.
    outcome = product.get(f"/api/batches/{batch}")
    for _ in range(400):
        if outcome["done"]:
            break
        page.wait_for_timeout(100)
        outcome = product.get(f"/api/batches/{batch}")
    assert outcome["facts"]["foreign_ms"] > 0, outcome
    assert outcome["explanation"].endswith("in which something else held the loop.")


def give_tickets(product, count):
    """So many handlers that wait for a ticket may go on."""
    for number in range(count):
        product.go.with_name(f"ticket-{number}").touch()


def look_at_stall(page):
    """See whom it hurt, where it was, and the whole stack."""
    expect(part(page, "code-pane").locator("[data-stall] [data-lit]")).to_contain_text(
        "time.sleep(seconds)"
    )
    expect(part(page, "finding-body")).to_contain_text(
        re.compile(r"It delayed 8 requests by .*\ss together\. The worst: GET /fast by")
    )
    stall = part(page, "stall")
    expect(stall.locator(".stall-split")).to_contain_text(
        re.compile(r"[56]\d\s?% shop\.py:6 .* shop\.py:11")
    )
    expect(stall.locator(".stack").first).to_be_hidden()
    stall.locator("summary").first.click()
    lines = stall.locator(".stack > li:not(.stack-fold)")
    expect(lines.first).to_have_text("fetch  shop.py:6")
    expect(lines.nth(1)).to_have_text("report  shop.py:10")
    expect(stall.locator(".held-up li")).to_have_count(8)
    fold = stall.locator(".stack-fold").first
    expect(fold.locator("summary")).to_contain_text("fastapi")
    expect(fold.locator("li").first).to_be_hidden()
    fold.locator("summary").click()
    expect(fold.locator("li").first).to_be_visible()
