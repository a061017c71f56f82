"""Print the article's four writes as ratios to `def`, and what moves our ratios.

    python tests/benchmarks/loadgen_article.py [--users 60] [--seconds 8]

The article's table has one column; ours has one for each thing that its text leaves
open: whether the bytes reach the disk, and how many there are. Where the columns differ,
that is the explanation of a difference; the server's cores are in the last line.
"""

from __future__ import annotations

import argparse

from loadgen_target import load

from loadgen.seeds import ARTICLE

CONDITIONS = (
    ("8 MB to the disk", ()),
    ("8 MB, page cache", ("--no-flush",)),
    ("10 kB to the disk", ("--num-chars", "10000")),
)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=8)
    options = parser.parse_args()
    shape = ("-u", str(options.users), "-r", str(options.users / 2))
    shape += ("-t", f"{options.seconds}s", "--client", "fast")
    columns = []
    for _, flags in CONDITIONS:
        report = load("seeds", *shape, *flags)
        columns.append([each["totals"] for each in report["variants"]])
    print(f"{'variant':22}{'article':>16}", *(f"{name:>20}" for name, _ in CONDITIONS))
    for row, (name, _, published) in enumerate(ARTICLE):
        cells = [f"{published:8.0f} ({published / ARTICLE[0][2]:4.2f})"]
        for column in columns:
            rps = column[row]["top"]["rps"]
            cells.append(f"{rps:8.0f} ({rps / column[0]['top']['rps']:4.2f})")
        print(f"{name:22}{cells[0]:>16}", *(f"{cell:>20}" for cell in cells[1:]))
    waits = [f"{column[1]['service_ms']:18.1f}ms" for column in columns]
    print(f"{'one request alone':38}", *waits)
    print(
        f"requests/s at {options.users} users, ratio to def; {report['environment']['cores']} cores"
    )


if __name__ == "__main__":
    main()
