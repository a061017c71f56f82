"""Inject random faults into a recorded app and its dashboard; print what came of them.

    python tests/benchmarks/chaos.py [--faults 1000] [--seed 1]

Ends with exit code 1 and the oracle's objection at the first request that the app
answered and nobody accounts for; `tests/chaos.py` has the faults and the oracle.

It mostly waits, a quarter of a core at most: several seeds run well beside each other,
`for s in 1 2 3 4; do python tests/benchmarks/chaos.py --faults 250 --seed $s & done; wait`.
Ctrl-C and SIGTERM end it with what was seen until then, and leave no process.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos import Chaos, Unaccounted
from ending import heed_signals


def main() -> int:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    heed_signals()
    began_s = time.monotonic()
    is_cut = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        chaos = Chaos(Path(name), options.seed)
        try:
            for number in range(1, options.faults + 1):
                chaos.strike()
                if number % 50 == 0:
                    print(chaos, flush=True)
        except Unaccounted as objection:
            print(f"seed {options.seed}, fault {chaos.faults}: {objection}")
            return 1
        except KeyboardInterrupt:
            is_cut = True
        finally:
            chaos.close()
    for fault, count in sorted(chaos.counts.items()):
        print(f"{fault:20}{count:>6}")
    print(f"seed {options.seed}: {chaos}, {time.monotonic() - began_s:.0f} s")
    if is_cut:
        print(f"told to stop: this is what was seen of {options.faults} faults")
    return 130 if is_cut else 0


if __name__ == "__main__":
    sys.exit(main())
