"""The command line: `loopscope`, also `python -m dashboard`.

Decides what to start and says what went wrong in one sentence. Everything heavy
is imported after the flags have been read, so that `--help` answers at once.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from dashboard.commands.flags import read_flags
from dashboard.errors import DashboardError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_USAGE = 2
#: What uvicorn uses when a server cannot start.
EXIT_START_FAILED = 3
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    # Polite ends are all alike: what is open gets closed, the exit code is 0.
    signal.signal(signal.SIGTERM, _leave)
    try:
        settings, options, extra = read_flags(sys.argv[1:] if argv is None else argv)
        if options.log_stalls:
            _show_stalls()
        if options.command == "run":
            from dashboard.commands.run import run

            return run(settings, options, extra)
        if options.command == "open":
            from dashboard.commands.open_file import open_file

            return open_file(settings, options)
        if options.command == "compare":
            from dashboard.commands.compare import compare

            return compare(settings, options)
        if options.command == "record":
            from dashboard.commands.record import record

            return record(settings, options, extra)
        from dashboard.commands.serve import serve

        return serve(settings, open_browser=options.open)
    except SettingsError as error:
        print(f"loopscope: {error}", file=sys.stderr)
        return EXIT_USAGE
    except DashboardError as error:
        print(f"loopscope: {error}", file=sys.stderr)
        return EXIT_START_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _show_stalls() -> None:
    """Show on the console what the dashboard logs of each stall."""
    import logging

    console = logging.StreamHandler()
    console.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    stalls = logging.getLogger("loopscope.stalls")
    stalls.addHandler(console)
    stalls.setLevel(logging.INFO)


def _leave(signal_number: int, frame: object) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
