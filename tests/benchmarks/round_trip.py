"""Record a minute of mixed load, open it, and compare it with what the live page was told.

    python tests/benchmarks/round_trip.py [--seconds 60] [--crowd N]

`--crowd 5` sends five where one was sent.

Prints what was compared, then what differs; ends with exit code 1 if anything does.
`tests/round_trip.py` has the load and the comparison.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from ending import carry_out
from round_trip import Live, compare


def main() -> int:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--crowd", type=int, metavar="REQUESTS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        file = folder / "load.loopscope"
        live = Live(folder)
        try:
            live.load(options.seconds, options.crowd)
            state = live.save(file)
            said, differences = compare(live, state, file)
        finally:
            live.close()
        losses = ", ".join(f"{n:,} {what}" for what, n in live.viewer.losses.items())
        size_kb = file.stat().st_size / 1e3
    print(
        f"{live.presses} presses in {options.seconds:g} s, {size_kb:,.0f} KB; {losses}"
    )
    print("\n".join(said))
    print("\n".join(differences[:20]) or "the recording tells the same")
    if len(differences) > 20:
        print(f"and {len(differences) - 20:,} more differences")
    return bool(differences)


if __name__ == "__main__":
    carry_out(main)
