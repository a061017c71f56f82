"""Print latencies beside those of wrk, on the same server, in turns.

    python tests/benchmarks/loadgen_wrk.py [--rounds 3]

Three shapes of waiting: alone, in a queue for worker threads, and behind a blocked loop.
A blocked loop serves who is there in rounds; the last one's next request just misses the
next round and waits for two, unless the client answers within microseconds. With so many
users that this is one of fifty, it is above the 95th percentile for both. wrk adds what
it would have sent meanwhile to its figures, which the first second needs to outgrow.
Needs wrk on the path.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import tempfile
from pathlib import Path

from ending import carry_out
from loadgen_target import APP, load, serve

#: Path, users, seconds.
SHAPES = (
    ("/await?seconds=0.05", 50, 8),
    ("/thread?seconds=0.05", 80, 15),
    ("/block?seconds=0.002", 50, 15),
)
#: wrk tells no 95th percentile by itself.
SCRIPT = """
done = function(summary, latency, requests)
  io.write(string.format("LATENCY %d %d\\n", latency:percentile(50), latency:percentile(95)))
end
"""


def wrk(url: str, users: int, seconds: int) -> tuple[float, float]:
    """Return p50 and p95 in ms as wrk measures them."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "percentiles.lua"
        script.write_text(SCRIPT)
        flags = ("-t", "1", "-c", str(users), "-d", f"{seconds}s", "-s", str(script))
        done = subprocess.run(
            ["wrk", *flags, url], capture_output=True, text=True, check=True
        )
    p50, p95 = re.search(r"LATENCY (\d+) (\d+)", done.stdout).groups()
    return int(p50) / 1e3, int(p95) / 1e3


def ours(url: str, users: int, seconds: int) -> tuple[float, float]:
    """Return the same as the load generator measures them."""
    flags = ("-u", str(users), "-r", "1000", "--warm-up", "0", "--client", "fast")
    top = load("run", url, *flags, "-t", f"{seconds}s")["totals"]["top"]
    return top["p50_ms"], top["p95_ms"]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(
        "handler               users   wrk p50   ours p50  ratio   wrk p95   ours p95  ratio"
    )
    with serve(APP) as base:
        for path, users, seconds in SHAPES:
            pairs = [
                (wrk(base + path, users, seconds), ours(base + path, users, seconds))
                for _ in range(options.rounds)
            ]
            cells = []
            for i in range(2):
                theirs, own = (
                    statistics.median(pair[who][i] for pair in pairs) for who in (0, 1)
                )
                ratio = statistics.median(pair[1][i] / pair[0][i] for pair in pairs)
                cells.append(f"{theirs:9.1f} {own:10.1f} {ratio:6.3f}")
            print(f"{path:21} {users:5} {' '.join(cells)}")


if __name__ == "__main__":
    carry_out(main)
