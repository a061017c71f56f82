"""A real dashboard whose buttons are pressed by HTTP, for tests that need one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

PATIENCE_S = 55
POLL_S = 0.05


class Product:
    """A `loopscope` process whose buttons are pressed by HTTP."""

    def __init__(self, folder, *flags, **env):
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dashboard"),
                *("--port", "0", "--demo-port", "0"),
                *flags,
            ],
            env=os.environ
            | {"LOOPSCOPE_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
            | env,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = re.search(r"http://\S+", self.process.stdout.readline())[0]
        self.demo_url = re.search(r"http://\S+", self.process.stdout.readline())[0]
        self._results = {}

    def stop(self):
        """End it as a terminal does."""
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()

    def get(self, path):
        """Return an answer's JSON."""
        return ask(self.url + path)

    def post(self, scenario, count=None, **params):
        """Press a button, for as many as it sends by itself or `count`; return status
        and answer."""
        body = {"params": params} | ({"count": count} if count else {})
        order = urllib.request.Request(
            f"{self.url}/api/trigger/{scenario}",
            json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(order, timeout=20) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def press(self, scenario, **params):
        """Press a button and wait for a good outcome; once for each params."""
        key = (scenario, *params.items())
        if key not in self._results:
            outcome = self.outcome(scenario, **params)
            assert outcome["trouble"] == "", outcome["trouble"]
            assert "{" not in outcome["explanation"], outcome["explanation"]
            self._results[key] = outcome
        return self._results[key]

    def forget(self):
        """Press anew whatever is asked for from now on."""
        self._results.clear()

    def outcome(self, scenario, **params):
        """Press a button and wait for the outcome, whatever it is."""
        deadline = time.monotonic() + PATIENCE_S
        status, answer = self.post(scenario, **params)
        while "starting" in answer.get("detail", "") and time.monotonic() < deadline:
            time.sleep(POLL_S)
            status, answer = self.post(scenario, **params)
        assert status == 202, answer
        while time.monotonic() < deadline:
            found = self.get(f"/api/batches/{answer['batch']}")
            if found["done"]:
                return found
            time.sleep(POLL_S)
        raise AssertionError(f"{scenario} did not come to its end: {found}")


def ask(url):
    """Return an answer's JSON."""
    with urllib.request.urlopen(url, timeout=20) as response:
        return json.load(response)


def wait_for(condition, what):
    """Wait until a condition holds, or fail saying what should have happened."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s for {what}, in vain"
        time.sleep(POLL_S)
    return found
