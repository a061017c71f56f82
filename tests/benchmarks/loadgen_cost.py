"""Print the generator's own CPU per request beside Locust's two clients, in turns.

    python tests/benchmarks/loadgen_cost.py --locust PATH/TO/locust [--rounds 3]

All send GETs from 50 users to a server that answers without looking, as fast as one
core allows. CPU is that of the whole process tree in the middle of a run, requests are
what the server counted in that time. Locust is not a dependency: install it in an
environment of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from ending import carry_out, running
from loadgen_target import CHEAP, ROOT, cpu_of_tree_s, serve

USERS = 50
BEFORE_S, MEASURED_S, AFTER_S = 3, 4, 1

LOCUSTFILE = """
import os
from locust import FastHttpUser, HttpUser, constant, task

class Visitor({"fast": FastHttpUser, "http": HttpUser}[os.environ["KIND"]]):
    wait_time = constant(0)

    @task
    def hello(self):
        self.client.get("/hello")
"""


def cost_us(command: list[str], base: str, **environ: str) -> float:
    """Run a client, and return its CPU per request in the middle of its run."""
    with running(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | environ,
    ) as process:
        time.sleep(BEFORE_S)
        requests, cpu_s = count(base), cpu_of_tree_s(process.pid)
        time.sleep(MEASURED_S)
        spent_s = cpu_of_tree_s(process.pid) - cpu_s
        cost_us = spent_s / (count(base) - requests) * 1e6
        process.wait()
    return cost_us


def count(base: str) -> int:
    """Return how many requests the server has answered."""
    with urllib.request.urlopen(f"{base}/count") as answer:
        return int(answer.read())


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--locust", default="locust")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    shape = ["-u", str(USERS), "-r", "1000"]
    shape += ["-t", f"{BEFORE_S + MEASURED_S + AFTER_S}s"]
    costs: dict[str, list[float]] = {}
    with serve(CHEAP) as base, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "locustfile.py"
        file.write_text(LOCUSTFILE)
        locust = [options.locust, "-f", str(file), "--headless", "-H", base, *shape]
        ours = [sys.executable, "-m", "loadgen", "run", f"{base}/hello", *shape]
        ours += ["-q", "--warm-up", "0", "--client"]
        for _ in range(options.rounds):
            for name, command, kind in (
                ("Locust HttpUser", locust, "http"),
                ("loadgen httpx", [*ours, "httpx"], ""),
                ("Locust FastHttpUser", locust, "fast"),
                ("loadgen fast", [*ours, "fast"], ""),
            ):
                costs.setdefault(name, []).append(cost_us(command, base, KIND=kind))
    print("client               CPU µs/request  ÷ HttpUser  ÷ FastHttpUser")
    for name, values in costs.items():
        ratios = [
            statistics.median(
                own / other for own, other in zip(values, costs[base], strict=True)
            )
            for base in ("Locust HttpUser", "Locust FastHttpUser")
        ]
        print(
            f"{name:20} {statistics.median(values):14.1f} "
            f"{ratios[0]:11.2f} {ratios[1]:15.2f}"
        )


if __name__ == "__main__":
    carry_out(main)
