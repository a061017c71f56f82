"""Python imports this before a program that `loopscope record` starts: record its loops.

Whatever is wrong, the program runs as it would without.
"""

import importlib
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))


def _import_the_users() -> None:
    """Do what the module of this name would have done that we stand before."""
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _here]
    ours = sys.modules.pop(__name__)
    try:
        importlib.import_module(__name__)
    except ImportError as error:
        if error.name != __name__:
            raise
        sys.modules[__name__] = ours


def _record() -> None:
    home = os.environ.get("LOOPSCOPE_HOME", "")
    # Behind all others, and only meanwhile: another environment's packages are not
    # this program's. If they are, they stay where they stand.
    is_new = home not in sys.path
    if is_new:
        sys.path.append(home)
    try:
        every_loop = importlib.import_module("dashboard.recorder.every_loop")
        every_loop.install()
    except Exception as error:  # noqa: BLE001 - the program goes on
        sys.stderr.write(f"loopscope: not recording ({error})\n")
    finally:
        if is_new and home in sys.path:
            sys.path.remove(home)


_record()
_import_the_users()
