"""Print what a frame of the page costs: script time, held memory, what was thinned.

    LOOPSCOPE_BROWSER=/usr/bin/chromium python tests/benchmarks/page.py

The real page in headless Chromium without a GPU; its stream is replaced by frames
that the real model and wire made from records of a made-up load, so that every run
gets the same. Script time is the processor time of the frame's callback, from the
browser's own trace: without layout and paint, and without waiting for others on a
busy machine.

    100,000 spans  a minute of 80 requests/s and 24 tasks, all of it in sight:
                   live, panning, zooming
    5,000 requests/s  20 s at the rate at which the server has to thin out
    an hour        20 requests/s for 70 minutes, as fast as the page takes it
"""

from __future__ import annotations

import heapq
import json
import os
import random
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from conftest import Product, launch
from playwright.sync_api import expect, sync_playwright

from dashboard.records import FIELD_SEPARATOR, LAP_SHIFT, RECORD, Cell, Kind, RingState
from dashboard.ring import Identity
from dashboard.server import wire
from dashboard.server.session import Session

SECOND_NS = 1_000_000_000
FRAME_NS = SECOND_NS // 30
ORIGIN_NS = SECOND_NS

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


class Load:
    """A made-up loop: tasks that sleep and step, told as the recorder tells them."""

    def __init__(self, *, requests_per_s: float, tickers: int, awaits: int) -> None:
        self.session = Session(origin_ns=ORIGIN_NS)
        self.spans = 0
        self._random = random.Random(7)
        self._gap_ns = SECOND_NS / requests_per_s
        self._awaits = awaits
        self._loop = self.session.add_loop(
            Identity(77, 1, ORIGIN_NS, 0, 0, "asyncio", "3.11", "shop:app")
        )
        self._loop.model.names.strings = [
            "",
            "housekeeping",
            FIELD_SEPARATOR.join(["GET", "/fast"]),
            FIELD_SEPARATOR.join(["GET", "/slow/{id}"]),
            FIELD_SEPARATOR.join(["sleep", "/srv/shop.py", "31", "slow"]),
        ]
        self._cells = dict.fromkeys(Cell, 0) | {Cell.STATE: RingState.RECORDING}
        self._queue: list[tuple[int, int, int, int]] = []
        self._free_ns = ORIGIN_NS
        self._next_ns = float(ORIGIN_NS)
        self._requests = 0
        self._tasks = tickers
        self._seq = 0
        for task in range(1, tickers + 1):
            self._put(Kind.BORN, ORIGIN_NS, 0, task, 1)
            heapq.heappush(self._queue, (ORIGIN_NS + task * 1_000_000, task, 0, 0))
        self._data = b""

    def _put(self, kind: int, t: int, u: int, a: int, b: int) -> None:
        self._data = getattr(self, "_data", b"") + RECORD.pack(
            t, u, a, b, (1 << LAP_SHIFT) + kind
        )

    def advance(self, until_ns: int) -> None:
        """Let the loop run, and the model hear of it."""
        chunks = []
        while True:
            if self._next_ns < until_ns and (
                not self._queue or self._next_ns < self._queue[0][0]
            ):
                self._requests += 1
                self._tasks += 1
                born = int(self._next_ns)
                self._next_ns += self._random.expovariate(1 / self._gap_ns)
                self._put(Kind.BORN, born, 0, self._tasks, 1)
                due = (born, self._tasks, self._requests, 0)
                heapq.heappush(self._queue, due)
                continue
            if not self._queue or self._queue[0][0] >= until_ns:
                break
            due, task, request, turn = heapq.heappop(self._queue)
            self._step(due, task, request, turn)
            chunks.append(self._data)
            self._data = b""
        self._loop.model.feed(b"".join(chunks))
        self.session.tick(self._loop, until_ns, self._cells, alive=True)

    def _step(self, due: int, task: int, request: int, turn: int) -> None:
        # Rarely it blocks: 150 ms once in 4,000 steps.
        is_long = self._random.random() < 1 / 4000
        length = 150_000_000 if is_long else self._random.randrange(20_000, 90_000)
        begin = max(due + 5_000, self._free_ns)
        if begin > self._free_ns + 20_000:
            self._put(Kind.POLL, self._free_ns, due, 0, 0)
        end = begin + length
        if turn or not request:
            self._put(Kind.WAKE, due, 0, task, 0)
        kind = Kind.STEP_WAITING
        if request and not turn:
            self._put(Kind.REQUEST, begin + 1, 1, request, task)
            self._put(Kind.REQUEST_NAME, begin + 2, 0, request, 2 + request % 2)
        if request and turn == self._awaits:
            self._put(Kind.ANSWERED, end - 2, 200, request, 0)
            self._put(Kind.REQUEST_END, end - 1, 0, request, 0)
            kind = Kind.STEP_DONE
        else:
            wait = self._random.randrange(2_000_000, 90_000_000)
            again = end + (wait if request else 100_000_000)
            heapq.heappush(self._queue, (again, task, request, turn + 1))
        self._put(kind, begin, end, task, 0)
        self._free_ns = end

    def hello(self, now_ns: int) -> str:
        """Return the first event: a snapshot of all that is kept."""
        self._seq += 1
        self.session.journal.take(now_ns)
        snapshot = wire.describe_snapshot(self.session, now_ns, self._seq, [])
        self.spans = len(snapshot["rows"]["t"]) if snapshot["rows"] else 0
        hello = wire.describe_hello(
            self.session,
            now_ns,
            run="bench",
            demo_url=None,
            skipped=0,
            snapshot=snapshot,
        )
        return wire.encode(hello)

    def frame(self, now_ns: int) -> str:
        """Return what is new since the last."""
        self._seq += 1
        change = self.session.journal.take(now_ns)
        self.spans += len(change.rows)
        frame = wire.describe_frame(self.session, now_ns, self._seq, [], change)
        return wire.encode(frame)

    def frames(
        self, begin_ns: int, seconds: float, step_ns: int = FRAME_NS
    ) -> list[str]:
        """Return the frames of the next seconds."""
        made = []
        for k in range(1, int(seconds * SECOND_NS / step_ns) + 1):
            self.advance(begin_ns + k * step_ns)
            made.append(self.frame(begin_ns + k * step_ns))
        return made


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
    frames = load.frames(ORIGIN_NS, 20)
    bench.measure("5,000 requests/s", "texts => bench.play(texts)", frames)
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


def main() -> None:
    """Print the table."""
    which = sys.argv[1:] or ["spans", "crowd", "hour"]
    parts = {"spans": hundred_thousand, "crowd": crowd, "hour": hour}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        product = Product(folder).ready()
        browser = launch(playwright)
        try:
            print(f"Chromium {browser.version}, {os.cpu_count()} cores, no GPU; ms")
            print(
                f"{'':<34}{'frames':>8}{'p50':>8}{'p95':>8}{'max':>8}"
                f"{'data p95':>10}{'max':>8}{'heap MB':>9}"
            )
            for name in which:
                parts[name](browser, product.url)
        finally:
            browser.close()
            product.stop()


if __name__ == "__main__":
    main()
