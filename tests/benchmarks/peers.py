"""Draw the spans of `page.py` with vis-timeline, uPlot and the page, and pan.

    LOOPSCOPE_BROWSER=/usr/bin/chromium python tests/benchmarks/peers.py [--spans 1000 10000 100000] [--patience 600]

The others are installed by npm into a folder that is deleted afterwards. Each draws what it
can of the same minute: vis-timeline every span as an item in its lane's group; uPlot
no spans at all but the loop's and the tasks' states as stepped lines, a point per span.
A frame moves the window by 25 px and waits for what that draws. Script time is the
processor time of all script between two frames, layout and paint not counted. The page
itself always has the whole minute. Who takes longer than is allowed is given up.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from conftest import Product, launch
from ending import carry_out
from made_up import ORIGIN_NS, SECOND_NS, Load
from page import Bench
from playwright.sync_api import sync_playwright

FRAMES = 120
OURS = "Loopscope, all of it"
WIDTH_PX = 1240

VIS = """([groups, spans, from, to]) => {
  const items = spans.map(([lane, state, start, end], id) =>
    ({ id, group: lane, start, end, className: `s${state}`, type: "range" }));
  window.peer = new vis.Timeline(document.getElementById("at"), items,
    groups.map((id) => ({ id, content: String(id) })),
    { stack: false, start: from, end: to, height: 600, selectable: false });
  window.moveTo_ = (ms) => peer.setWindow(ms, ms + (to - from), { animation: false });
  return new Promise((done) => peer.on("changed", done));
}"""

UPLOT = """([groups, spans, from, to]) => {
  const lanes = new Map();
  for (const [lane, state, start] of spans) {
    if (!lanes.has(lane)) lanes.set(lane, [[], []]);
    const [times, states] = lanes.get(lane);
    times.push(start / 1000);
    states.push(state);
  }
  const drawn = [...lanes.values()].filter(([times]) => times.length > 20);
  const data = uPlot.join(drawn);
  window.peer = new uPlot({
    width: 1240, height: 600, scales: { x: { min: from / 1000, max: to / 1000 } },
    series: [{}, ...drawn.map(() => ({ stroke: "steelblue", paths: uPlot.paths.stepped({ align: 1 }), spanGaps: true }))],
  }, data, document.getElementById("at"));
  window.moveTo_ = (ms) => peer.setScale("x", { min: ms / 1000, max: (ms + to - from) / 1000 });
  return new Promise((done) => setTimeout(done, 100));
}"""

PAN = """([from, stepMs, count]) => new Promise((done) => {
  let k = 0;
  const turn = () => {
    if (k++ === count) { done(); return; }
    moveTo_(from - stepMs * (k % 60));
    requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
})"""


#: What draws, then its script and its style sheet.
PEERS = {
    "vis-timeline": (
        VIS,
        "vis-timeline/standalone/umd/vis-timeline-graph2d.min.js",
        "vis-timeline/styles/vis-timeline-graph2d.min.css",
    ),
    "uPlot": (UPLOT, "uplot/dist/uPlot.iife.min.js", "uplot/dist/uPlot.min.css"),
}


def busy_minute() -> str:
    """Return what a page is told of a minute of 80 requests/s and 24 tasks."""
    load = Load(requests_per_s=80, tickers=24, awaits=3)
    begin = ORIGIN_NS
    for _ in range(61):
        begin += SECOND_NS
        load.advance(begin)
        load.session.journal.take(begin)
    return load.hello(begin)


def make_spans(least: int) -> list[list[float]]:
    """Return the latest spans of a busy minute: lane, state, start and end in ms."""
    rows = json.loads(busy_minute())["snapshot"]["rows"]
    told: dict[int, tuple[float, int]] = {}
    spans = []
    t = rows["t0"]
    for i, step in enumerate(rows["t"]):
        t += step
        lane, state = rows["lane"][i], rows["state"][i]
        before = told.get(lane)
        if before and before[1]:
            spans.append([lane, before[1], before[0] / 1e6, t / 1e6])
        told[lane] = (t, state)
    return spans[-least:]


def measure(browser, modules: Path, peer: str, count: int) -> str:
    """Return a line's figures."""
    draw, *files = PEERS[peer]
    spans = make_spans(count)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_content("<div id=at></div>")
    page.add_script_tag(path=modules / files[0])
    page.add_style_tag(path=modules / files[1])
    first, last = spans[0][2], max(span[3] for span in spans)
    groups = sorted({span[0] for span in spans})
    page.evaluate("() => { window.began = performance.now(); }")
    page.evaluate(draw, [groups, spans, first, last])
    took_s = page.evaluate("() => performance.now() - began") / 1000
    browser.start_tracing(page=page, categories=["devtools.timeline"])
    page.evaluate(PAN, [first, 25 * (last - first) / WIDTH_PX, FRAMES])
    costs, seconds = costs_of(json.loads(browser.stop_tracing())["traceEvents"])
    page.close()
    return told(took_s, costs, seconds)


def measure_ours(browser, url: str) -> str:
    """Return the page's own figures: all of the minute in sight, and panned."""
    hello = busy_minute()
    bench = Bench(browser, url)
    bench.page.evaluate("() => { window.began = performance.now(); }")
    bench.begin(hello)
    drawn = "() => new Promise((done) => requestAnimationFrame(() => done(performance.now() - began)))"
    took_s = bench.page.evaluate(drawn) / 1000
    bench.page.keyboard.press("Escape")
    for _ in range(5):
        bench.page.keyboard.press("KeyS")
    bench.page.keyboard.press("Space")
    browser.start_tracing(page=bench.page, categories=["devtools.timeline"])
    bench.page.evaluate("n => bench.wheel({ deltaX: 25, shiftKey: true }, n)", FRAMES)
    costs, seconds = costs_of(json.loads(browser.stop_tracing())["traceEvents"])
    bench.page.close()
    return told(took_s, costs, seconds)


def told(took_s: float, costs: list[float], seconds: float) -> str:
    """Return a line's figures in words."""
    costs = sorted(costs)
    return (
        f"{took_s:8.1f} s{len(costs) / seconds:8.0f}/s{statistics.median(costs):8.1f}"
        f"{costs[int(len(costs) * 0.95)]:8.1f}{costs[-1]:8.1f}"
    )


def costs_of(trace: list[dict]) -> tuple[list[float], float]:
    """Return the script time of each frame in ms, and how long they took together."""
    calls = sorted(
        (each for each in trace if each["name"] in ("FireAnimationFrame", "TimerFire")),
        key=lambda each: each["ts"],
    )
    frames: list[float] = []
    ends: list[int] = []
    for call in calls:
        if call.get("ph") != "X":
            continue
        # Callbacks of one frame follow each other at once.
        is_new = call["name"] == "FireAnimationFrame" and (
            not ends or call["ts"] - ends[-1] > 1000
        )
        if is_new or not frames:
            frames.append(0.0)
        frames[-1] += call["tdur"] / 1000
        ends.append(call["ts"] + call["dur"])
    return frames, (ends[-1] - calls[0]["ts"]) / 1e6


def measure_one(modules: Path, peer: str, count: int) -> None:
    """Print one line; in a process of its own, which can be given up."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = launch(playwright)
        if peer == OURS:
            product = Product(folder)
            try:
                product.ready()
                print(measure_ours(browser, product.url))
            finally:
                product.stop()
        else:
            print(measure(browser, modules, peer, count))
        browser.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    counts = [1_000, 10_000, 100_000]
    parser.add_argument("--spans", type=int, nargs="*", default=counts)
    parser.add_argument("--patience", type=int, default=300, help="seconds a line")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.one:
        modules, peer, count = wanted.one
        measure_one(Path(modules), peer, int(count))
        return
    with tempfile.TemporaryDirectory() as folder:
        names = ["vis-timeline@8", "vis-data@8", "uplot@1"]
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", *names]
        subprocess.run(command, cwd=folder, check=True)
        modules = Path(folder) / "node_modules"
        print(f"{os.cpu_count()} cores, no GPU; ms of script per frame")
        print(f"{'':<40}{'first':>10}{'frames':>10}{'p50':>8}{'p95':>8}{'max':>8}")
        lines = [(peer, count) for count in wanted.spans for peer in PEERS]
        for peer, count in [*lines, (OURS, 100_000)]:
            command = [sys.executable, __file__, "--one", modules, peer, str(count)]
            line = run(command, wanted.patience)
            print(f"{peer}, {count:,} spans".ljust(40) + line, flush=True)


def run(command: list[str], patience_s: int) -> str:
    """Return what it printed; when it takes too long, it ends with its browser."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, error = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            return f"  given up after {patience_s} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return out.strip("\n") or error.strip()[-60:]


if __name__ == "__main__":
    carry_out(main)
