"""Print the article's four writes as ratios to `def`, and what moves our ratios.

    python tests/benchmarks/loadgen_article.py [--users 60] [--seconds 8]

The article's table has one column; ours has one for each thing that its text leaves
open: whether the bytes reach the disk, and how many there are. Below it, what forty
threads gain at that very write with no server around it: a loop that writes itself has
one write at a time, so its ratio to `def` is what this machine's disk and cores leave.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

from ending import carry_out
from loadgen_target import load

from dashboard.demo.articles import write_to_file
from loadgen.seeds import ARTICLE

#: Title, flags, and what the handler then does.
CONDITIONS = (
    ("8 MB to the disk", (), (8_000_000, 1)),
    ("8 MB, page cache", ("--no-flush",), (8_000_000, 0)),
    ("10 kB to the disk", ("--num-chars", "10000"), (10_000, 1)),
)
#: As many as serve `def` handlers.
THREADS = 40


def writes_per_s(threads: int, seconds: float, what: tuple[int, int]) -> float:
    """Return how many writes a second so many threads complete together."""
    began_s = time.perf_counter()

    def write() -> int:
        done = 0
        while time.perf_counter() - began_s < seconds:
            write_to_file(*what)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        done = sum(
            each.result() for each in [pool.submit(write) for _ in range(threads)]
        )
    return done / (time.perf_counter() - began_s)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=8)
    options = parser.parse_args()
    shape = ("-u", str(options.users), "-r", str(options.users / 2))
    shape += ("-t", f"{options.seconds}s", "--client", "fast")
    columns = []
    for _, flags, _ in CONDITIONS:
        report = load("seeds", *shape, *flags)
        columns.append([each["totals"] for each in report["variants"]])
    print(f"{'variant':22}{'article':>16}", *(f"{name:>20}" for name, *_ in CONDITIONS))
    for row, (name, _, published) in enumerate(ARTICLE):
        cells = [f"{published:8.0f} ({published / ARTICLE[0][2]:4.2f})"]
        for column in columns:
            rps = column[row]["top"]["rps"]
            cells.append(f"{rps:8.0f} ({rps / column[0]['top']['rps']:4.2f})")
        print(f"{name:22}{cells[0]:>16}", *(f"{cell:>20}" for cell in cells[1:]))
    waits = [f"{column[1]['service_ms']:18.1f}ms" for column in columns]
    print(f"{'one request alone':38}", *waits)
    gains = []
    for _, _, what in CONDITIONS:
        alone, together = (writes_per_s(count, 3, what) for count in (1, THREADS))
        gains.append(
            f"{alone:7.0f} → {together:.0f} ({together / alone:.2f})".rjust(20)
        )
    print(f"{f'writes/s, 1 → {THREADS} threads':38}", *gains)
    print(
        f"requests/s at {options.users} users, ratio to def; {report['environment']['cores']} cores"
    )


if __name__ == "__main__":
    carry_out(main)
