"""The page as one file works from disk with the network off, and runs nothing of others.

That it is also panned, zoomed, searched, … as the live page stands in `test_timeline.py`
and `test_stall.py`, whose tests are run on both.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient
from tapes import MS, Tape

from dashboard.app import create_app
from dashboard.records import Cell, Kind, RingState
from dashboard.ring import Identity
from dashboard.server.exports.scripts import join_modules
from dashboard.server.settings import Settings

MODULES = {
    "main.js": 'import { add as plus, LIMIT } from "./sums/add.js";\n'
    'import * as all from "./sums/add.js";\n'
    "const helper = 1;\nconsole.log(plus(helper, LIMIT), all.LIMIT, new all.Box().n);\n",
    "sums/add.js": 'import {\n  helper,\n} from "../base.js";\n'
    "export function add(a, b) {\n  return helper(a) + b;\n}\n"
    "export const LIMIT = 10;\nexport class Box {\n  n = 3;\n}\n",
    "base.js": 'console.log("base");\nexport const helper = (x) => x * 2;\n'
    "export async function later() {}\n",
}

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='hacked = 2'>"
SOURCE = f"import time\n\n\nasync def buy():\n    time.sleep(0.3)  # {HOSTILE}\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The page of a loop that a hostile request has held, handed out as a file."""
    tmp_path = tmp_path_factory.mktemp("shop")
    shop = tmp_path / "shop.py"
    shop.write_text(SOURCE)
    app = create_app(Settings(demo=False, ring_dir=tmp_path / "rings"))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        session = app.state.dashboard.session
        origin_ns = session.origin_ns
        identity = Identity(77, 1, origin_ns, 2**62, 0, "asyncio", "3.13", HOSTILE)
        loop = session.add_loop(identity)
        tape = Tape()
        tape.model = loop.model
        loop.model.names.strings = [""]
        at = lambda ms: origin_ns + round(ms * MS)  # noqa: E731
        place = tape.text(str(shop), 5, "buy")
        tape.born(1, HOSTILE, at(1)).request(5, 1, at(2))
        route = tape.text("GET", f"/buy/{HOSTILE}")
        tape.put(Kind.REQUEST_NAME, at(2), 0, 5, route)
        tape.put(Kind.SAMPLE, at(100), at(2), place, 1)
        tape.answered(5, at(302)).step(1, at(2), at(302), Kind.STEP_DONE)
        # Longer than what is in sight of the stall, for there to be more.
        tape.poll(at(302), at(1500)).play()
        cells = dict.fromkeys(Cell, 0) | {Cell.STATE: RingState.RECORDING}
        # Nothing of it may lie in the future of who hands it out.
        while time.monotonic_ns() < at(1500):
            time.sleep(0.01)
        session.tick(loop, at(1500), cells, alive=True)
        app.state.dashboard.stream.publish()
        answer = client.get("/api/export/page.html")
        assert answer.headers["content-disposition"].endswith('page.html"')
    file = tmp_path / "talk" / "page.html"
    file.parent.mkdir()
    file.write_bytes(answer.content)
    shop.unlink()
    return file


def test_works_from_disk(file, open_file):
    """Timeline, table, stall, code and pictures to save are there; nothing is live."""
    page = open_file(file)

    expect(page.locator("[data-part=request-rows] tr")).to_have_count(1)
    expect(page.locator("[data-part=twin-rows] tr")).not_to_have_count(0)
    expect(page.locator("[data-part=finding-title]")).to_contain_text("shop.py:5")
    expect(page.locator("[data-part=code-lines] [data-lit]")).to_contain_text("sleep")
    expect(page.get_by_text("nothing of it is live")).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator("[data-part=save-svg]")).to_be_visible()
    expect(page.locator("[data-part=save-trace]")).to_be_hidden()
    for part, begins in ("save-svg", b"<svg"), ("save-png", b"\x89PNG"):
        with page.expect_download() as coming:
            page.locator(f"[data-part={part}]").click()
        assert Path(coming.value.path()).read_bytes().startswith(begins)


def test_lands_at_its_stall(file, open_file):
    """At once it shows the stall, the line and its code; one press shows all of it."""
    page = open_file(file)
    since = page.locator("[data-part=since]")

    expect(page.locator("[data-part=lamp]")).to_contain_text("blocked for")
    expect(page.locator("[data-part=code-verb]")).to_have_text("holds the loop here")
    expect(page.locator("[data-part=slot]")).to_have_attribute("data-slot", "blocked")
    expect(since).to_contain_text("All")
    since.click()
    expect(since).to_be_hidden()
    page.keyboard.press("Backspace")
    expect(since).to_be_visible()


def test_replayed(file, open_file):
    """Space plays it in slow motion from where one looks, to its end."""
    page = open_file(file)
    lamp = page.locator("[data-part=lamp-word]")
    expect(lamp).to_have_text("Recording")

    page.keyboard.press("Space")
    expect(lamp).to_have_text("Slow motion 1/100")
    page.keyboard.press("Space")
    expect(lamp).to_have_text("Recording")


def test_runs_nothing_of_others(file, open_file):
    """Names and code with markup in them are shown as they are written."""
    page = open_file(file)

    expect(page.locator("[data-part=code-lines]")).to_contain_text("<script>")
    expect(page.locator("[data-part=request-rows]")).to_contain_text("</script>")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0


def test_in_a_frame(file, open_file):
    """A slide or an article shows it in a frame, also one that has no origin."""
    slide = file.parent / "slide.html"
    frame = '<iframe src="page.html?present" width="1200" height="800"'
    slide.write_text(f'{frame}></iframe>{frame} sandbox="allow-scripts"></iframe>')
    page = open_file(slide)

    for number in range(2):
        shown = page.frame_locator("iframe").nth(number)
        expect(shown.locator("html")).to_have_attribute("data-present", "")
        expect(shown.locator("[data-part=request-rows] tr")).to_have_count(1)


def test_joined(browser):
    """Modules joined into one keep their names apart, and each runs once."""
    script = join_modules("main.js", MODULES.__getitem__)
    said = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.evaluate(f"() => {{{script}}}")

    assert said == ["base", "12 10 3"]
