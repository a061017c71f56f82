"""The door of `loopscope run`: any app under uvicorn is recorded, unchanged.

uvicorn gets `app` as its app factory and `new_loop` as its loop factory. Both read
the environment, so each worker and each restart finds what to serve. Run as a
program, this module only tries whether the app can be had.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import multiprocessing
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from dashboard.errors import DashboardError, TargetError
from dashboard.recorder.attach import observe, start_recording

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

logger = logging.getLogger("loopscope")

#: MODULE:APP, whether APP makes the app, and the kind of loop.
APP, FACTORY, LOOP = "LOOPSCOPE_APP", "LOOPSCOPE_FACTORY", "LOOPSCOPE_LOOP"
EXIT_NO_SUCH_APP = 2
#: With this code of a worker uvicorn ends; after any other it starts the next one.
EXIT_START_FAILED = 3


def app() -> Any:
    """Return the app to serve, observed; or say what is wrong and exit."""
    return observe(_find_or_exit(), title=os.environ[APP])


def new_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop that is recorded from its first step until it is closed."""
    loop = _make_loop(os.environ.get(LOOP, "auto"))
    try:
        start_recording(loop, title=os.environ[APP])
    except DashboardError as error:
        logger.error("not recording: %s", error)
    except Exception:
        logger.exception("not recording; the app goes on without it")
    return loop


def _make_loop(kind: str) -> asyncio.AbstractEventLoop:
    """Choose as uvicorn does: uvloop where it is installed."""
    if kind != "asyncio":
        try:
            import uvloop
        except ImportError:
            if kind == "uvloop":
                raise
        else:
            loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
            return loop
    return asyncio.SelectorEventLoop()


def find_app(environ: Mapping[str, str]) -> Any:
    """Import the app that the environment names.

    Raises:
        TargetError: there is no such module or attribute, or it is no app.
    """
    target = environ[APP]
    module_name, _, path = target.partition(":")
    try:
        found = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that it imports in turn may be missing, too: not our sentence.
        missing = error.name or ""
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise
        raise _no_module(missing, module_name) from None
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise TargetError(
                f"module {module_name!r} has no {path!r}; "
                "name the variable that holds the app, as in main:app"
            ) from None
    if environ.get(FACTORY):
        if not callable(found):
            raise TargetError(
                f"{target} is {_article(found)}, not a function that makes an app"
            )
        found = found()
    if not callable(found):
        raise TargetError(f"{target} is {_article(found)}, not an ASGI app")
    return found


def need_module(target: str) -> None:
    """Look for the module of MODULE:APP where a server would, importing nothing.

    Raises:
        TargetError: it, or the package that it is in, is not there.
    """
    module_name = target.partition(":")[0]
    top = module_name.partition(".")[0]
    # As for `python -m`; an installed program's own folder stands there instead.
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.util.find_spec(top)
    except ValueError:
        # It is loaded already, and does not say from where.
        return
    finally:
        sys.path.pop(0)
    if found is None:
        raise _no_module(top, module_name)


def _no_module(missing: str, module_name: str) -> TargetError:
    return TargetError(
        f"there is no module {missing!r} to be found from {os.getcwd()!r}; "
        f"start in the folder from which `import {module_name}` works"
    )


def _article(found: object) -> str:
    return f"of type {type(found).__name__!r}"


def _find_or_exit() -> Any:
    is_worker = multiprocessing.parent_process() is not None
    try:
        return find_app(os.environ)
    except TargetError as error:
        sys.stderr.write(f"loopscope: {error}\n")
        code = EXIT_NO_SUCH_APP
    except Exception as error:  # noqa: BLE001 - the user's module may raise anything
        traceback.print_exception(error.with_traceback(_of_user(error.__traceback__)))
        sys.stderr.write(
            f"loopscope: {os.environ[APP]} could not be made; its error stands above\n"
        )
        code = EXIT_START_FAILED
    raise SystemExit(EXIT_START_FAILED if is_worker else code)


def _of_user(found: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of ours and of the import system at the top."""
    ours = (__file__, importlib.__file__, "<frozen importlib")
    while found is not None and found.tb_frame.f_code.co_filename.startswith(ours):
        found = found.tb_next
    return found


if __name__ == "__main__":
    _find_or_exit()
