"""Print what a frame of the page costs: script time, held memory, what was thinned.

    LOOPSCOPE_BROWSER=/usr/bin/chromium python tests/benchmarks/page.py [spans] [crowd] [hour] [live] [--minutes 60]

The real page in headless Chromium without a GPU; its stream is replaced by frames
that the real model and wire made from records of a made-up load, so that every run
gets the same. Script time is the processor time of the frame's callback, from the
browser's own trace: without layout and paint, and without waiting for others on a
busy machine.

    100,000 spans  a minute of 80 requests/s and 24 tasks, all of it in sight:
                   live, panning, zooming
    5,000 requests/s  a minute at the rate at which the server has to thin out
    an hour        20 requests/s for 70 minutes, as fast as the page takes it
    live           the same in real time, for an hour or for --minutes

The first three are run when none is named. `peers.py` draws the first with others.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from conftest import Product, launch
from ending import carry_out
from made_up import ORIGIN_NS, SECOND_NS, Load
from playwright.sync_api import expect, sync_playwright

#: Stands in for EventSource, and times what the page does with each event.
HARNESS = """
(() => {
  const bench = { ingest: [], source: null };
  window.bench = bench;
  window.EventSource = class extends EventTarget {
    readyState = 1;
    constructor() { super(); bench.source = this; }
    close() {}
  };
  bench.feed = (type, data) => {
    const began = performance.now();
    bench.source.dispatchEvent(new MessageEvent(type, { data }));
    bench.ingest.push(performance.now() - began);
  };
  bench.play = (texts) => new Promise((done) => {
    let k = 0;
    const timer = setInterval(() => {
      if (k === texts.length) { clearInterval(timer); done(); return; }
      bench.feed("frame", texts[k++]);
    }, 1000 / 30);
  });
  bench.wheel = (options, times) => new Promise((done) => {
    const canvas = document.querySelector("[data-part=canvas]");
    const box = canvas.getBoundingClientRect();
    const at = { clientX: box.left + box.width * 0.6, clientY: box.top + 60 };
    let k = 0;
    const turn = () => {
      if (k++ === times) { done(); return; }
      const back = Math.floor(k / 60) % 2 ? -1 : 1;
      canvas.dispatchEvent(new WheelEvent("wheel", {
        ...at, ...options, deltaX: (options.deltaX ?? 0) * back,
        deltaY: (options.deltaY ?? 0) * back, bubbles: true, cancelable: true,
      }));
      setTimeout(turn, 16);
    };
    turn();
  });
})();
"""


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of all is below."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


class Bench:
    """One page and what was measured on it."""

    def __init__(self, browser, url: str) -> None:
        self._browser = browser
        self.page = browser.new_page(viewport={"width": 1440, "height": 900})
        self.page.add_init_script(HARNESS)
        self.page.goto(url)
        self.cdp = self.page.context.new_cdp_session(self.page)

    def begin(self, hello: str) -> None:
        """Give the page its snapshot, and wait until it is drawn."""
        self.page.evaluate("text => bench.feed('hello', text)", hello)
        root = self.page.locator("html")
        expect(root).not_to_have_attribute("data-state", "connecting")
        self.page.wait_for_timeout(300)

    def measure(self, name: str, script: str, argument: object = None) -> None:
        """Run something, and print what its frames cost."""
        self.page.evaluate("() => { bench.ingest.length = 0; }")
        self._browser.start_tracing(page=self.page, categories=["devtools.timeline"])
        self.page.evaluate(script, argument)
        trace = json.loads(self._browser.stop_tracing())
        frames = [
            event
            for event in trace["traceEvents"]
            if event["name"] == "FireAnimationFrame" and event.get("ph") == "X"
        ]
        ingest = self.page.evaluate("() => bench.ingest") or [0.0]
        costs = [event["tdur"] / 1000 for event in frames]
        seconds = (frames[-1]["ts"] - frames[0]["ts"]) / 1e6
        print(
            f"{name:<34}{len(frames) / seconds:6.0f}/s"
            f"{statistics.median(costs):8.1f}{percentile(costs, 0.95):8.1f}"
            f"{max(costs):8.1f}{percentile(ingest, 0.95):10.1f}{max(ingest):8.1f}"
            f"{self.heap_mb():9.1f}"
        )

    def heap_mb(self) -> float:
        """Return what the page's data takes, after a collection."""
        self.cdp.send("HeapProfiler.collectGarbage")
        usage = self.cdp.send("Runtime.getHeapUsage")
        return (usage["usedSize"] + usage.get("backingStorageSize", 0)) / 1e6

    def sentences(self) -> str:
        """Return what the page says of what it does not show."""
        return " ".join(self.page.locator("[data-part=sentences] li").all_inner_texts())


def hundred_thousand(browser, url: str) -> None:
    """Hold 100,000 spans, all in sight: scroll live, pan, zoom."""
    load = Load(requests_per_s=80, tickers=24, awaits=3)
    begin = ORIGIN_NS
    for _ in range(61):
        begin += SECOND_NS
        load.advance(begin)
        load.session.journal.take(begin)
    bench = Bench(browser, url)
    bench.begin(load.hello(begin))
    held = load.spans
    frames = load.frames(begin, 12)
    bench.page.keyboard.press("Escape")
    for _ in range(5):
        bench.page.keyboard.press("KeyS")
    bench.measure(f"live, {held:,} spans held", "texts => bench.play(texts)", frames)
    bench.page.keyboard.press("Space")
    pan = "n => bench.wheel({ deltaX: 25, shiftKey: true }, n)"
    bench.measure("panning, all in sight", pan, 400)
    zoom = "n => bench.wheel({ deltaY: 12, ctrlKey: true }, n)"
    bench.measure("zooming", zoom, 400)
    bench.page.keyboard.press("KeyM")
    bench.measure("panning, all of it marked", pan, 200)
    bench.page.close()


def crowd(browser, url: str) -> None:
    """Serve 5,000 requests a second: what is drawn, and what is only counted."""
    load = Load(requests_per_s=5000, tickers=4, awaits=1)
    bench = Bench(browser, url)
    bench.begin(load.hello(ORIGIN_NS))
    # In pieces: what is handed to a browser at once is bounded.
    for begin_s in range(0, 60, 10):
        frames = load.frames(ORIGIN_NS + begin_s * SECOND_NS, 10)
        what = f"5,000 requests/s, from {begin_s} s on"
        bench.measure(what, "texts => bench.play(texts)", frames)
    last = json.loads(frames[-1])
    print(
        f"  of {last['counts']['requests']:,} requests {last['undrawn']:,} counted, "
        f"not drawn; {last['thinned']:,} slices merged; the page says: "
        f"{bench.sentences()!r}"
    )
    bench.page.close()


def hour(browser, url: str) -> None:
    """Feed an hour and more, and see whether memory stays where it was."""
    load = Load(requests_per_s=20, tickers=4, awaits=1)
    bench = Bench(browser, url)
    bench.begin(load.hello(ORIGIN_NS))
    begin = ORIGIN_NS
    sizes = []
    for _ in range(14):
        frames = load.frames(begin, 300, SECOND_NS // 2)
        begin += 300 * SECOND_NS
        bench.page.evaluate(
            "texts => texts.forEach(t => bench.feed('frame', t))", frames
        )
        bench.page.wait_for_timeout(200)
        sizes.append(bench.heap_mb())
    print("memory every 5 minutes, MB: " + " ".join(f"{size:.0f}" for size in sizes))
    bench.measure("then live", "texts => bench.play(texts)", load.frames(begin, 4))
    bench.page.close()


def live(browser, url: str, minutes: int) -> None:
    """Watch in real time, and see whether memory stays where it was."""
    load = Load(requests_per_s=20, tickers=4, awaits=1)
    bench = Bench(browser, url)
    bench.begin(load.hello(ORIGIN_NS))
    sizes = []
    for minute in range(minutes):
        frames = load.frames(ORIGIN_NS + minute * 60 * SECOND_NS, 60)
        bench.page.evaluate("texts => bench.play(texts)", frames)
        sizes.append(bench.heap_mb())
        print(f"  live, {minute + 1} min: {sizes[-1]:.1f} MB", flush=True)
    spread = (max(sizes) / min(sizes) - 1) / 2
    print(f"  from {min(sizes):.1f} to {max(sizes):.1f} MB: ± {spread:.0%}")
    bench.page.close()


def main() -> None:
    """Print the table."""
    parts = {"spans": hundred_thousand, "crowd": crowd, "hour": hour, "live": live}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("which", nargs="*", choices=[[], *parts], metavar="PART")
    parser.add_argument("--minutes", type=int, default=60, help="of live")
    wanted = parser.parse_args()
    parts["live"] = functools.partial(live, minutes=wanted.minutes)
    which = wanted.which or ["spans", "crowd", "hour"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        product = Product(folder)
        try:
            product.ready()
            browser = launch(playwright)
            print(f"Chromium {browser.version}, {os.cpu_count()} cores, no GPU; ms")
            print(
                f"{'':<34}{'frames':>8}{'p50':>8}{'p95':>8}{'max':>8}"
                f"{'data p95':>10}{'max':>8}{'heap MB':>9}"
            )
            for name in which:
                parts[name](browser, product.url)
            browser.close()
        finally:
            product.stop()


if __name__ == "__main__":
    carry_out(main)
