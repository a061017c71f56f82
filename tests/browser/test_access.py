"""The page is for everybody: axe-core's verdict, keys, zoom, motion, touch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from axe_playwright_python.sync_playwright import Axe
from hands import press, wait_finished, wait_lamp, wait_state
from made_up import make_recording
from playwright.sync_api import expect

#: WCAG 2.2 at levels A and AA, and what axe calls best practice.
RULES = {
    "runOnly": {
        "type": "tag",
        "values": [
            *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"),
            "best-practice",
        ],
    }
}


def violations(page):
    """Return what axe objects to, as lines that say where."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
        for each in found
        for node in each["nodes"]
    ]


# Six pages for axe-core to read, each some seconds of work on a busy machine.
@pytest.mark.timeout(240)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe(product, open_page, scheme):
    """Axe-core has no objection, empty, at work, blocked, held, presenting, in help."""
    # The policy of the page forbids what is not its own; axe is put in from outside.
    # Less motion: a colour that is on its way to another has no contrast to judge.
    page = open_page(
        product.url, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    wait_lamp(page, "idle")
    assert violations(page) == []

    press(page, "Slow", 5)
    wait_finished(page, 5)
    press(page, "Blocking")
    wait_lamp(page, "blocked")
    press(page, "Fast", 20)
    page.locator("tr[data-open]").first.wait_for()
    assert violations(page) == []

    wait_lamp(page, "idle")
    page.keyboard.press(",")
    wait_state(page, "paused")
    assert violations(page) == []

    page.keyboard.press("n")
    page.locator("[data-part=by-route]").click()
    assert violations(page) == []
    page.keyboard.press("n")

    page.keyboard.press("p")
    assert violations(page) == []
    page.keyboard.press("p")

    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()
    assert violations(page) == []


#: Controls that do not show that they have the focus.
UNSEEN = """async () => {
    const seen = (element) => element.checkVisibility({visibilityProperty: true});
    const all = [...document.querySelectorAll("button, a, input, select, [tabindex='0']")]
        .filter((each) => seen(each) && each.tabIndex >= 0);
    const bad = [];
    for (const each of all) {
        each.focus({focusVisible: true});
        const style = getComputedStyle(each);
        const next = each.nextElementSibling;
        const shown = style.outlineStyle !== "none" ? style : next && getComputedStyle(next);
        if (document.activeElement !== each || !shown || shown.outlineStyle === "none"
            || parseFloat(shown.outlineWidth) < 2) bad.push(each.outerHTML.slice(0, 80));
    }
    return bad;
}"""


def test_every_control_is_reached_by_tab_and_seen(page):
    """Tab goes through every control, and each shows where it is."""
    press(page, "Fast")
    wait_finished(page, 1)
    assert page.evaluate(UNSEEN) == []


def test_help_lists_every_key(page):
    """What the help says is the table that the keyboard obeys, without a gap."""
    page.keyboard.press("?")
    listed = page.locator("[data-part=help-list] dt").all_inner_texts()
    # Not `import()` in the page's world by text: its policy forbids nothing of its own.
    bound = page.evaluate(
        "import('/static/js/input/keys.js').then((m) => m.BINDINGS.map((b) => b.shown))"
    )
    for shown in bound:
        assert any(all(key in row for key in shown.split()) for row in listed), shown


def test_stall_is_announced(page):
    """A stall is told to a screen reader once, politely."""
    press(page, "Blocking")

    announcer = page.locator("[data-part=announcer]")
    expect(announcer).to_have_attribute("aria-live", "polite")
    expect(announcer).to_contain_text("holds the loop")
    expect(announcer).to_contain_text("held the loop for")


def test_reduced_motion(product, open_page):
    """Who asks for less motion gets marks that do not fly."""
    page = open_page(product.url, reduced_motion="reduce")
    wait_lamp(page, "idle")
    press(page, "Slow", 5)
    marks = page.locator("[data-part=waiting-groups] .being[data-kind=request]")
    expect(marks).to_have_count(5)

    assert (
        page.evaluate(
            "document.getAnimations().filter((a) => !(a instanceof CSSAnimation)).length"
        )
        == 0
    )


def test_touch(product, open_page):
    """A finger presses, pins and drags the playhead."""
    page = open_page(
        product.url, has_touch=True, viewport={"width": 820, "height": 1180}
    )
    wait_lamp(page, "idle")
    page.locator(".trigger-send", has_text="Slow").tap()
    wait_finished(page, 1)
    page.locator("[data-part=hold]").tap()
    wait_state(page, "paused")
    page.locator("[data-part=step-back]").tap()
    expect(page.locator("[data-part=phase]")).to_contain_text("is answered")
    box = page.locator("[data-part=playhead-grip]").bounding_box()

    assert box["width"] >= 24
    assert box["height"] >= 24
    page.locator("[data-part=request-rows] tr").first.tap()
    expect(page.locator("tr[aria-current]")).to_have_count(1)


#: Text in sight that is smaller than 20 px.
SMALL = """() => [...document.querySelectorAll("body *")]
    .filter((each) => [...each.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
        && each.checkVisibility({visibilityProperty: true, opacityProperty: true})
        && !each.closest(".unseen") && each.tagName !== "OPTION"
        && each.getBoundingClientRect().width > 1
        && parseFloat(getComputedStyle(each).fontSize) < 20)
    .map((each) => `${each.className} ${each.textContent.slice(0, 30)}`)"""


def test_presenter_is_legible_from_row_20(product, open_page):
    """In presenter mode no text in sight is smaller than 20 px at 1280 × 720."""
    page = open_page(f"{product.url}/?present", viewport={"width": 1280, "height": 720})
    wait_lamp(page, "idle")
    press(page, "Slow", 5)
    press(page, "Blocking")
    wait_lamp(page, "blocked")
    assert page.evaluate(SMALL) == []

    wait_lamp(page, "idle")
    page.keyboard.press(",")
    wait_state(page, "paused")
    assert page.evaluate(SMALL) == []


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A recording with a stall, handed out as a file."""
    folder = tmp_path_factory.mktemp("talk")
    (folder / "shop.loopscope").write_bytes(make_recording())
    page = folder / "page.html"
    command = [sys.executable, "-m", "dashboard.server.recordings.drop_page"]
    subprocess.run([*command, folder / "shop.loopscope", page], check=True)
    return page


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_handed_out(file, open_file, scheme):
    """A file from disk is for everybody, too: no objection, every control shows its focus,
    and what a talk shows is large."""
    page = open_file(
        file, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    wait_state(page, "paused")
    expect(page.locator("[data-part=code-lines] [data-lit]")).to_be_visible()
    assert violations(page) == []
    assert page.evaluate(UNSEEN) == []

    page.set_viewport_size({"width": 1280, "height": 720})
    page.keyboard.press("p")
    assert page.evaluate(SMALL) == []
    assert violations(page) == []
