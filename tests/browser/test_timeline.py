"""The timeline in the hands of an expert: every move, and back again."""

from __future__ import annotations

import pytest
from hands import held, near, press, reaches, wait_finished, wait_state
from playwright.sync_api import expect

CANVAS = "[data-part=canvas]"
RANGE = "[data-part=range]"
SELECTION = "[data-part=selection]"
TABLE = "[data-part=twin-rows]"
SEND = """async () => {
  const send = (id, count) => fetch(`/api/trigger/${id}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ count }),
  });
  await send("slow", 5);
  await send("blocking", 1);
}"""


@pytest.fixture(scope="module")
def handed_out():
    """Where that picture is as a file, and at which address; who has it first writes it."""
    return {}


@pytest.fixture
def served(page, product, handed_out, tmp_path_factory):
    """A page on which five slow requests and a block are over, held as it then was."""
    # Not by two presses: on a busy machine the second comes when the five are answered.
    page.evaluate(SEND)
    wait_finished(page, 6)
    page.keyboard.press("Space")
    wait_state(page, "paused")
    if not handed_out:
        file = tmp_path_factory.mktemp("talk") / "page.html"
        handed_out["address"] = fragment(page, "from=")
        handed_out["file"] = product.hand_out(file)
    return page


@pytest.fixture(params=["live", "file"])
def either(request, handed_out):
    """That page live, and as a file that is opened from disk with the network off."""
    if request.param == "live" or not handed_out:
        page = request.getfixturevalue("served")
    if request.param == "file":
        page = request.getfixturevalue("open_file")(**handed_out)
        wait_state(page, "paused")
    return page


def part(page, name):
    """Return a part of the page."""
    return page.locator(f"[data-part={name}]")


def picture(page):
    """Return the left edge and the width of the picture, the names left out."""
    box = page.locator(CANVAS).bounding_box()
    gutter = page.evaluate(
        "parseFloat(getComputedStyle(document.documentElement)"
        ".getPropertyValue('--canvas-gutter'))"
    )
    return box["x"] + gutter, box["width"] - gutter


def fragment(page, *wanted):
    """Wait until the address says something, and return it."""
    for _ in range(800):
        text = page.evaluate("location.hash")
        if all(word in text for word in wanted):
            return text
        page.wait_for_timeout(50)
    pytest.fail(f"the address is {text!r}, without {wanted}")


def wait_home(page):
    """Wait until the picture is where End leads: at now, or at all of a file."""
    if page.url.startswith("file:"):
        expect(part(page, "since")).to_be_hidden()
        expect(part(page, "range")).not_to_have_text("10 s wide")
    else:
        wait_state(page, "live")
        expect(part(page, "range")).to_have_text("last 10 s")


def names(page, is_wanted):
    """Wait until the rows in sight are as wanted, by the table that says the same as the
    picture once a second."""
    rows = f"document.querySelectorAll('{TABLE} th')"
    return reaches(page, f"Array.from({rows}, (row) => row.textContent)", is_wanted)


def chosen(page, is_wanted):
    """Wait until the row of the selection is as wanted, and return its name."""
    name = f"document.querySelector('{SELECTION}').textContent.split(',')[0]"
    return reaches(page, name, is_wanted)


def test_move_and_undo(either):
    """Zoom and pan go back and forward step by step, as far as live."""
    page = either
    expect(part(page, "range")).to_have_text("10 s wide")
    page.keyboard.press("KeyW")
    expect(part(page, "range")).to_have_text("6.67 s wide")
    page.wait_for_timeout(800)  # moves that follow at once are one
    page.keyboard.press("KeyW")
    expect(part(page, "range")).to_have_text("4.44 s wide")

    page.keyboard.press("Control+z")
    expect(part(page, "range")).to_have_text("6.67 s wide")
    page.keyboard.press("Shift+Backspace")
    expect(part(page, "range")).to_have_text("4.44 s wide")
    for _ in range(3):
        page.keyboard.press("Backspace")
    wait_home(page)


def test_zoom_stays_under_the_pointer(either):
    """Zooming with the wheel keeps what is under the pointer under it, to a microsecond."""
    page = either
    left, width = picture(page)
    start, length = held(page)
    x = round(left + width * 0.6)
    page.mouse.move(x, page.locator(CANVAS).bounding_box()["y"] + 60)
    page.keyboard.down("Control")
    for _ in range(80):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")

    expect(part(page, "range")).to_have_text("1 µs wide")
    share = (x - left) / width
    is_there = near(start + share * length, 1000)
    held(page, lambda begin, wide: wide == 1000 and is_there(begin + share * wide))
    page.keyboard.press("End")
    wait_home(page)


def test_drag_and_point(served):
    """A drag takes the picture with it; what is under the pointer is told beside it."""
    page = served
    left, width = picture(page)
    start, length = held(page)
    y = page.locator(CANVAS).bounding_box()["y"] + 60
    x = round(left + width * 0.5)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 150, y, steps=5)
    page.mouse.up()
    is_there = near(start - 150 * length / width, length / width)
    held(page, lambda begin, wide: wide == length and is_there(begin))

    page.keyboard.press("End")
    tooltip = part(page, "tooltip")
    expect(tooltip).to_be_visible()
    expect(part(page, "tooltip-name")).to_contain_text("loopscope demo")
    box = tooltip.bounding_box()
    assert box["x"] - 30 <= x + 150 <= box["x"] + box["width"] + 30
    assert abs(box["y"] - y) < 40
    page.mouse.move(x, y - 200)
    expect(tooltip).to_be_hidden()


def test_marked_stretch(either):
    """Shift and drag measure a stretch: its length, where time went, and who took it."""
    page = either
    box = page.locator(CANVAS).bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 80, steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")

    expect(part(page, "area")).to_be_visible()
    expect(part(page, "area-title")).to_contain_text("s")
    expect(part(page, "area-loop")).to_contain_text("blocked")
    expect(part(page, "area-culprits")).to_contain_text("in blocking")
    part(page, "area-culprits").locator("button").first.click()
    expect(part(page, "selection")).to_contain_text("Holds the loop")
    page.keyboard.press("Escape")
    expect(part(page, "area")).to_be_hidden()


def test_filter_and_find(either):
    """The slash filters rows while one types; Enter goes to the next find; Esc ends it."""
    page = either
    page.keyboard.press("/")
    page.keyboard.type("slow")

    names(page, lambda rows: {name.split()[-1] for name in rows[1:]} == {"/slow"})
    page.keyboard.press("Enter")
    expect(part(page, "selection")).to_contain_text("/slow")
    first = part(page, "selection").text_content()
    page.keyboard.press("Enter")
    expect(part(page, "selection")).not_to_have_text(first)
    page.keyboard.press("Escape")
    expect(part(page, "filter")).to_have_value("")


def test_group_pin_and_rows(either):
    """Rows are grouped by key, walked by key, and a pinned one stays on top."""
    page = either
    page.keyboard.press("KeyG")
    expect(part(page, "group")).to_have_text("by route")
    last = ""
    for _ in range(4):
        page.keyboard.press("ArrowDown")
        last = chosen(page, lambda name, last=last: name not in ("", last))
    page.keyboard.press("KeyI")

    names(page, lambda rows: rows[1:2] == [last])


def test_link_to_exactly_this_view(served, open_page):
    """An address shows the same stretch, moment, filter, order, story and mode."""
    page = served
    page.keyboard.press("KeyW")
    page.keyboard.press("KeyG")
    page.keyboard.press("KeyT")
    page.keyboard.press("/")
    page.keyboard.type("blocking")
    page.keyboard.press("Tab")
    wanted = fragment(page, "from=", "group=name", "find=blocking", "tasks=1")
    page.keyboard.press("KeyP")
    page.keyboard.press("PageDown")
    page.wait_for_url("**/?present&story=overlap#*")

    other = page.context.new_page()
    other.goto(page.url)
    wait_state(other, "paused")
    expect(part(other, "range")).to_have_text("6.67 s wide")
    expect(part(other, "filter")).to_have_value("blocking")
    expect(other.locator("html[data-present][data-story=overlap]")).to_be_attached()
    assert fragment(other, "from=") == wanted


def test_link_of_another_run(page):
    """A link from before a restart keeps what one looked for, and shows now."""
    url = page.url.split("#")[0]
    other = page.context.new_page()
    other.goto(f"{url}#from=1000&to=900000&run=gone&find=slow")

    wait_state(other, "live")
    expect(part(other, "filter")).to_have_value("slow")
    expect(part(other, "range")).to_have_text("last 10 s")


def test_just_now(page):
    """One key holds the last thirty seconds, and End is back at now."""
    press(page, "Fast")
    wait_finished(page, 1)
    page.keyboard.press("KeyB")

    wait_state(page, "paused")
    expect(part(page, "range")).to_have_text("30 s wide")
    page.keyboard.press("End")
    wait_state(page, "live")
    expect(part(page, "range")).to_have_text("last 10 s")


def test_scroll_back_loses_nothing(served):
    """While one looks back recording goes on, and all of it is there on the way back."""
    page = served
    for _ in range(3):
        page.keyboard.press("KeyA")
    press(page, "Fast", 20)
    wait_finished(page, 26)
    wait_state(page, "paused")
    expect(part(page, "since")).to_contain_text("20 requests since")
    page.keyboard.press("End")
    expect(part(page, "since")).to_be_hidden()

    names(page, lambda rows: sum("/fast" in name for name in rows) >= 20)


def test_newest_stays_in_sight(page):
    """After a hundred at once a new one still has a row of its own, on the screen."""
    press(page, "Fast", 100)
    wait_finished(page, 100)
    press(page, "Slow", 1)

    names(page, lambda rows: "".join(rows[-1:]).endswith("/slow"))


def test_table_says_why(either):
    """The table tells of each row in sight what it does and why it does not run."""
    page = either
    page.keyboard.press("KeyV")
    expect(page.locator(TABLE)).to_be_visible()

    # To the middle of the block.
    part(page, "finding-jump").click()
    expect(page.locator(TABLE)).to_contain_text("Holds the loop")
    expect(page.locator(TABLE)).to_contain_text("in blocking instead")


def test_minimap(either):
    """A click on the strip goes there."""
    page = either
    before = fragment(page, "from=")
    box = part(page, "minimap").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 10)

    for _ in range(100):
        if fragment(page, "from=") != before:
            return
        page.wait_for_timeout(50)
    pytest.fail("the picture did not move")


def test_follow_the_waker(either):
    """One key goes from a slice to who woke it: here the loop, which saw its timer."""
    page = either
    page.keyboard.press("/")
    page.keyboard.type("#3")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(part(page, "selection")).to_contain_text("#3 /slow")
    words = f"document.querySelector('{SELECTION}').textContent"
    told = part(page, "selection").text_content()
    while "woken by a timer" not in told:
        page.keyboard.press("Shift+Period")
        told = reaches(page, words, lambda now, before=told: now != before)
    page.keyboard.press("KeyU")

    expect(part(page, "selection")).to_contain_text("loop")
    expect(part(page, "selection")).not_to_contain_text("#3 /slow,")


def test_spotlight_of_the_presenter(either):
    """In presenter mode all rows but the selected one step back; Escape lets them return."""
    page = either
    # Whoever is told to look at one of six rows sees hardly more than that one in full colour.
    count = """() => {
      const canvas = document.querySelector("[data-part=canvas]");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const token = getComputedStyle(document.documentElement).getPropertyValue("--state-waiting");
      const wanted = token.trim().match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
      let found = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (wanted.every((value, k) => data[i + k] === value)) found += 1;
      }
      return found;
    }"""
    page.keyboard.press("KeyP")
    expect(page.locator("html[data-present]")).to_be_attached()
    page.keyboard.press("Escape")
    expect(page.locator("html[data-selection=none]")).to_be_attached()
    before = page.evaluate(count)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    reaches(page, count, lambda found: 0 < found < before / 2)
    page.keyboard.press("Escape")
    reaches(page, count, lambda found: found == before)
