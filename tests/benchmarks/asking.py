"""Ask a real dashboard and its demo app for everything; print the statuses they gave.

    python tests/benchmarks/asking.py [--cases 150] [--seed 1]

`--cases` for each operation: 150 are some 10,000 in all. Ends with an error at the
first 500; `tests/asking.py` has how cases are made. Each takes some 35 ms of a
processor, to invent it included; to go on another time, give another seed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from asking import ask_everything
from ending import carry_out
from pressing import Product


def main() -> int:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        product = Product(folder)
        try:
            product.press("fast")
            for name, url in (("dashboard", product.url), ("demo", product.demo_url)):
                began_s = time.monotonic()
                found = ask_everything(url, cases=options.cases, number=options.seed)
                took_s = time.monotonic() - began_s
                told = ", ".join(
                    f"{status}: {found[status]}" for status in sorted(found)
                )
                print(
                    f"{name:10}{found.total():>7} cases, {took_s:.0f} s   {told}",
                    flush=True,
                )
        finally:
            product.stop()
    return 0


if __name__ == "__main__":
    carry_out(main)
