"""Print how close a hundred users come to what a 100 ms wait allows.

    python tests/benchmarks/loadgen_ideal.py [--seconds 10] [--users 100]

An `await` of 100 ms allows users ÷ 0.1 s, a block of 100 ms allows 10 requests a second
however many users there are. What is missing is what server and generator take.
"""

from __future__ import annotations

import argparse

from ending import carry_out
from loadgen_target import APP, load, serve


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--users", type=int, default=100)
    options = parser.parse_args()
    print(
        "client  handler      ideal  measured   share   p50 ms   p95 ms  Little  busy"
    )
    with serve(APP) as base:
        for client in ("httpx", "fast"):
            for path, ideal in (("/await", options.users / 0.1), ("/block", 10.0)):
                report = load(
                    *("run", base + path, "-u", str(options.users)),
                    # Over a second and not at once: users who all ask at the same
                    # moment go on doing so, and measure each other.
                    *("-r", str(options.users), "-t", str(options.seconds + 1)),
                    *("--client", client, "--timeout", "60s"),
                )
                top = report["totals"]["top"]
                little = report["totals"]["little"]
                off = f"{little['deviation']:+.1%}" if little else "–"
                print(
                    f"{client:7} {path:10} {ideal:7.0f} {top['rps']:9.1f} "
                    f"{top['rps'] / ideal:7.1%} {top['p50_ms']:8.1f} "
                    f"{top['p95_ms']:8.1f} {off:>7} {top['generator_busy']:5.0%}"
                )


if __name__ == "__main__":
    carry_out(main)
