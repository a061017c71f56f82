"""Run the demo app in a process of its own: `python -m dashboard.demo`.

Prints its address on the first line once it listens. It never outlives a
dashboard that asked it to die along.
"""

from __future__ import annotations

import argparse
import os
import sys

from dashboard.commands.options import argument
from dashboard.demo import lifeline
from dashboard.server.programs import ports
from dashboard.server.settings import parse_port


def main(argv: list[str] | None = None) -> int:
    """Serve the demo app until somebody stops it."""
    options = _parser().parse_args(argv)
    if options.die_with_parent:
        # Two ways, as each has a hole.
        lifeline.end_with_stdin()
        lifeline.end_with_parent()
    try:
        sockets = ports.listen(options.host, options.port)
    except OSError as error:
        print(
            f"cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr
        )
        return 3
    url = ports.url(options.host, ports.port_of(sockets))

    def announce() -> None:
        print(url, flush=True)
        if options.die_with_parent:
            # The pipe has said all it had to say; nobody would empty it. What
            # handlers print goes to the terminal from here on.
            os.dup2(2, 1)

    from dashboard.demo.serve import serve

    try:
        serve(sockets, loop=options.loop, announce=announce, workers=options.workers)
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dashboard.demo",
        description="An ordinary FastAPI app that makes mistakes on purpose.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=argument(parse_port), default=8001)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--workers", type=int, choices=range(1, 9), default=1)
    parser.add_argument(
        "--die-with-parent",
        action="store_true",
        help="end as soon as stdin is closed or the parent process is gone",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
