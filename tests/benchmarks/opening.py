"""How long `loopscope open` takes until a page shows a million spans, and what panning costs.

    LOOPSCOPE_BROWSER=/usr/bin/chromium python tests/benchmarks/opening.py [--spans 1000000] [--runs 5]

A recording of a made-up loop, the same in every run, is opened by the real command. The
time is from the command's start to the end of the frame in which the picture is whole,
in headless Chromium without a GPU that waits for it; beside it the processor time of the
server and of all of Chromium until then, and until all else has been read, too. Then
that page is panned, where it has landed (at its worst stall) and with all of it in
sight.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from conftest import launch
from ending import carry_out, end, running
from made_up import ORIGIN_NS, SECOND_NS, Load
from page import HARNESS, Bench
from playwright.sync_api import sync_playwright

from dashboard.server.recordings import recording
from dashboard.server.recordings.keeper import FileTape

FRAME_NS = SECOND_NS // 30
PATIENCE_S = 120
#: Notes when the frame is over in which the page shows all of a real stream.
WATCH = (
    "window.RealSource = window.EventSource;"
    + HARNESS
    + """
window.shownAt = new Promise((done) => {
  window.EventSource = class extends window.RealSource {
    constructor(url) {
      super(url);
      let wholeNs = 0;
      this.addEventListener("hello", ({ data }) => {
        wholeNs = JSON.parse(data).recording.to_ns;
      });
      this.addEventListener("frame", ({ data }) => {
        if (Number(/"t_ns":(\\d+)/.exec(data)[1]) < wholeNs) return;
        requestAnimationFrame(() => setTimeout(() => {
          done(performance.timeOrigin + performance.now());
        }));
      });
    }
  };
});
"""
)


def make(path: Path, spans: int) -> tuple[int, int]:
    """Write a recording of so many spans; return how many, and its bytes."""
    file = io.BytesIO()
    file.name = "memory"
    tape = FileTape(file, recording.new_head(ORIGIN_NS, ORIGIN_NS))
    load = Load(requests_per_s=8, tickers=100, awaits=30, tape=tape.tape)
    now_ns, made = ORIGIN_NS, 0
    begun: dict[int, int] = {}
    while made < spans:
        now_ns += FRAME_NS
        load.advance(now_ns)
        change = load.session.turn_page(now_ns)
        tape.draw(now_ns, change)
        for row in change.rows:
            # One at the time of the one before only puts that right.
            made += begun.get(row.lane) != row.t
            begun[row.lane] = row.t
        load.session.requests.begin_frame()
        load.session.stalls.take()
    tape.flush()
    path.write_bytes(file.getvalue())
    return made, len(file.getvalue())


def cpu_of(pid: int) -> float:
    """Return the processor time of a process so far, in s (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Shown(Bench):
    """A page of a recording that is opened by the command."""

    def __init__(self, browser, path: Path, ending: contextlib.ExitStack) -> None:
        self._browser = browser
        self._chromium = browser.new_browser_cdp_session()
        self.page = browser.new_page(viewport={"width": 1440, "height": 900})
        self.page.add_init_script(WATCH)
        before_s = self.chromium_s()
        began_s = time.time()
        words = ["-m", "dashboard", "open", str(path), "--port", "0"]
        self.process = ending.enter_context(
            running([sys.executable, *words], stdout=subprocess.PIPE, text=True)
        )
        url = self.process.stdout.readline().split()[-1]
        self.page.goto(url, wait_until="commit")
        self.shown_s = self.page.evaluate("shownAt") / 1000 - began_s
        self.server_s = cpu_of(self.process.pid)
        self.page_s = self.chromium_s() - before_s
        with urllib.request.urlopen(f"{url}/api/state", timeout=PATIENCE_S):
            self.whole_s = time.time() - began_s
        self.whole_server_s = cpu_of(self.process.pid)
        self.cdp = self.page.context.new_cdp_session(self.page)

    def chromium_s(self) -> float:
        """Return the processor time of all of Chromium's processes so far."""
        told = self._chromium.send("SystemInfo.getProcessInfo")
        return sum(each["cpuTime"] for each in told["processInfo"])

    def close(self) -> None:
        """End both."""
        self.page.close()
        end(self.process)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        contextlib.ExitStack() as ending,
    ):
        path = Path(folder, "million.loopscope")
        made, size = make(path, options.spans)
        print(f"{made:,} spans, {size / 1e6:.1f} MB, {size / made:.1f} bytes a span")
        browser = launch(playwright)
        print("| s | drawn | of the server | of Chromium | all read | of the server |")
        print("| --- | --- | --- | --- | --- | --- |")
        found = []
        for run in range(options.runs):
            shown = Shown(browser, path, ending)
            found.append(
                (
                    shown.shown_s,
                    shown.server_s,
                    shown.page_s,
                    shown.whole_s,
                    shown.whole_server_s,
                )
            )
            print(f"| {run + 1} | " + " | ".join(f"{s:.2f}" for s in found[-1]) + " |")
            if run + 1 < options.runs:
                shown.close()
        middle = [statistics.median(column) for column in zip(*found, strict=True)]
        print("| median | " + " | ".join(f"{s:.2f}" for s in middle) + " |")
        shown.page.wait_for_timeout(1_000)
        print(
            f"{'ms of script a frame':<34}{'frames':>8}{'p50':>8}{'p95':>8}{'max':>8}"
            f"{'data p95':>10}{'max':>8}{'heap MB':>9}"
        )
        pan = "n => bench.wheel({ deltaX: 25, shiftKey: true }, n)"
        shown.measure("panning, at its stall", pan, 200)
        shown.page.keyboard.press("End")
        shown.page.wait_for_timeout(1_000)
        shown.measure("panning, all in sight", pan, 200)
        zoom = "n => bench.wheel({ deltaY: 12, ctrlKey: true }, n)"
        shown.measure("zooming", zoom, 200)
        shown.page.keyboard.press("KeyT")
        shown.measure("panning, with its tasks", pan, 200)
        shown.close()
        browser.close()


if __name__ == "__main__":
    carry_out(main)
