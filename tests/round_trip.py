"""Record mixed load on the real product, open what was saved, and compare both.

A viewer keeps all that the live page is told, frame by frame. What `loopscope open`
tells of the saved file must be the same: every span of every lane, every request with
its split, every stall and incident, and `/api/state`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

from pressing import Product, ask, wait_for
from tapes import Told, decode

#: Pressed once in so many rounds of half a second: fast, slow, in threads, in another
#: process, at a lock, timed out, cancelled, and holding the loop.
LOAD = {
    "fast": 1,
    "slow": 2,
    "threaded": 3,
    "lock_held": 5,
    "cpu_in_process": 7,
    "timeout_await": 8,
    "cancelled_task": 9,
    "blocking": 10,
}
#: Of which there may be many at once.
CROWDS = ("fast", "slow", "threaded")
ROUND_S = 0.5
BLOCK_S = 0.4
#: What goes wrong, by whoever asks: an unknown path, a refused parameter.
ERRORS = ("/nowhere", "/blocking?seconds=900")
#: uvicorn's own clock goes off ten times a second, whatever the app does: where it is,
#: and what the loop does at the moment of asking, is another thing a moment later.
CLOCK = "Server.serve"
OF_THE_MOMENT = (
    *("utilisation", "lag_ms", "recording_cost"),
    *("state", "running", "ready", "waiting", "waits"),
)
#: So long before the file's end a span may still get its reason, which the live page hears.
EDGE_NS = 1_000_000_000
#: Requests, stalls and incidents that the live page was told and a recording keeps.
LISTS = ("requests", "stalls", "incidents")


class Viewer(threading.Thread):
    """Watch a dashboard as its page does, and keep everything."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.told = Told()
        self.lists = {name: {} for name in LISTS}
        self.losses = {"missed": 0, "thinned": 0, "undrawn": 0, "skipped": 0}
        self.t_ns = 0
        self.is_whole = False
        self.failure = None
        self.is_over = False
        self._stream = urllib.request.urlopen(f"{url}/events", timeout=60)

    def run(self):
        """Read until the dashboard goes, or nobody wants to know any more."""
        event = b""
        try:
            for line in self._stream:
                if self.is_over:
                    return
                if line.startswith(b"event: "):
                    event = line[7:].strip()
                elif line.startswith(b"data: ") and event != b"beat":
                    self._take(event, json.loads(line[6:]))
        except Exception as error:  # noqa: BLE001 - told to who asks
            self.failure = error

    def _take(self, event, data):
        frame = data
        if event == b"hello":
            self.losses["skipped"] += data["skipped"]
            assert not self.told.lanes, "this viewer was too slow, and began again"
            frame = data["snapshot"]
        self.told.take(decode(frame))
        for request in frame["requests"]:
            # What came after the answer may not be known by then, nor told later.
            del request["after_ms"]
        requests = self.lists["requests"]
        for more in frame["afterwards"]:
            requests[more["id"]]["phases"] = more["phases"]
        for name in LISTS:
            self.lists[name] |= {key_of(name, each): each for each in frame[name]}
        self.losses |= {name: frame[name] for name in ("missed", "thinned", "undrawn")}
        self.t_ns = frame["t_ns"]
        # Of a recording the findings come with all that its picture does not tell.
        self.is_whole = self.is_whole or frame["diagnosis"] is not None

    def has_seen(self, t_ns):
        """Say whether all up to that moment has come; what failed is raised here."""
        if self.failure is not None:
            raise self.failure
        return self.t_ns >= t_ns

    def spans(self, until_ns):
        """Return what is drawn until then, in words, by lane and beginning."""
        words = self.told.strings
        return {
            (lane, words[self.told.lanes[lane][2]], t): (state, words[info], who)
            for lane, rows in self.told.spans.items()
            for t, state, info, who in rows
            if t < until_ns
        }


def key_of(name, each):
    """Return by what one is told again when more is known of it."""
    if name == "incidents":
        return tuple(each[part] for part in ("kind", "loop", "start_ns", "text"))
    return each["id"]


class Live:
    """The product under mixed load, and a viewer who has seen all of it."""

    def __init__(self, folder):
        self.product = Product(folder / "rings")
        self.presses = 0
        self.viewer = Viewer(self.product.url)
        self.viewer.start()

    def close(self):
        """End it."""
        self.viewer.is_over = True
        self.product.stop()

    def load(self, seconds, crowd=None):
        """Send what `LOAD` and `ERRORS` say for so long, and wait until all is over.

        `crowd`: so many of each that may be many are sent at once.
        """
        self.product.press("fast")
        ends_s = time.monotonic() + seconds
        number = 0
        while time.monotonic() < ends_s:
            for scenario, every in LOAD.items():
                if number % every == 0:
                    params = {"seconds": BLOCK_S} if scenario == "blocking" else {}
                    count = crowd if scenario in CROWDS else None
                    self._press(scenario, count, **params)
            self._err(ERRORS[number % len(ERRORS)])
            number += 1
            time.sleep(ROUND_S)
        wait_for(
            lambda: self.product.get("/api/state")["counts"]["open"] == 0,
            "the last request",
        )
        # So that all of it is before the edge.
        time.sleep(EDGE_NS / 1e9)

    def save(self, file):
        """Save the recording at a moment when nothing happens; return the live state.

        What happened until the file was cut is in both, so the state just before and
        just after must be the same: else something was under way, and it tries again.
        """

        def settle():
            before = steady(self.product.get("/api/state"))
            with urllib.request.urlopen(f"{self.product.url}/api/recording") as answer:
                file.write_bytes(answer.read())
            state = self.product.get("/api/state")
            if before != steady(state):
                return None
            wait_for(lambda: self.viewer.has_seen(state["t_ns"]), "the last frame")
            return state

        return wait_for(settle, "a moment in which nothing happens")

    def _press(self, scenario, count=None, **params):
        status, _ = self.product.post(scenario, count, **params)
        self.presses += status == 202
        return status == 202

    def _err(self, path):
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.product.demo_url + path, timeout=60)


@contextmanager
def opened(file):
    """Give the address of a dashboard that shows a file."""
    command = [sys.executable, "-m", "dashboard", "open", str(file), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def steady(state):
    """Return what of a state does not depend on the moment of asking."""
    return state | {
        "t_ns": 0,
        "loops": [
            {name: each for name, each in loop.items() if name not in OF_THE_MOMENT}
            for loop in state["loops"]
        ],
        "tasks": [task for task in state["tasks"] if task["name"] != CLOCK],
    }


def compare(live, state, file):
    """Return what was compared, as lines with numbers, and what differs, as lines."""
    viewer = live.viewer
    with opened(file) as url:
        shown = Viewer(url)
        shown.start()
        wait_for(lambda: shown.has_seen(1) and shown.is_whole, "all of the recording")
        other = ask(f"{url}/api/state")
        shown.is_over = True
    said, differences = [], []

    def check(what, mine, theirs):
        said.append(f"{what:24}{len(mine):>8,}")
        differences.extend(
            f"{what} {key}:\n  live      {mine.get(key)}\n  recording {theirs.get(key)}"
            for key in [*mine, *(key for key in theirs if key not in mine)]
            if mine.get(key) != theirs.get(key)
        )

    until_ns = shown.t_ns - EDGE_NS
    check("spans", viewer.spans(until_ns), shown.spans(until_ns))
    for name in LISTS:
        check(name, viewer.lists[name], shown.lists[name])
    check("fields of /api/state", steady(state), steady(other))
    return said, differences
