"""Run the handlers of your own stories, in the demo app.

A file that cannot be run harms nobody: its stories answer with the reason.
"""

from __future__ import annotations

import importlib.util
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Request

from dashboard.demo.stories import OURS
from dashboard.demo.yours import load_files, named_in

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from dashboard.demo.scenario import Scenario


# Any: a handler is whatever FastAPI can call.
def find_handlers(
    environ: os._Environ[str],
) -> Iterator[tuple[Scenario, Callable[..., Any]]]:
    """Run the files that the environment names; return each scenario's handler."""
    files = named_in(environ)
    taken = OURS.ids
    modules: dict[str, Any] = {}
    for story in load_files(files, taken).stories:
        for scenario in story.variants:
            file, _, function = scenario.handler.rpartition(":")
            if file not in modules:
                modules[file] = _run(Path(file), len(modules))
            module = modules[file]
            if isinstance(module, str):
                yield scenario, _refuser(module)
            else:
                yield scenario, getattr(module, function)


def bounds_of(scenario: Scenario) -> Callable[[Request], None]:
    """Return the check that holds the story's parameters within their ranges."""

    # Sync would be a trip to a thread, which no story of yours asked for.
    async def check(request: Request) -> None:
        for parameter in scenario.params:
            text = request.query_params.get(parameter.name)
            if text is None:
                continue
            try:
                number = float(text)
            except ValueError:
                number = float("nan")
            if not parameter.minimum <= number <= parameter.maximum:
                raise HTTPException(422, str(parameter.refusal(text)))

    return check  # type: ignore[return-value]


def _run(path: Path, number: int) -> Any:
    """Import the file; return the module, or why it cannot be run."""
    spec = importlib.util.spec_from_file_location(f"_stories_{number}", path)
    if spec is None or spec.loader is None:
        return f"{path.name}: this is not a Python file"
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == str(path)
        ]
        return f"{path.name}:{lines[-1] if lines else 1}: {error}"
    return module


def _refuser(sentence: str) -> Callable[[], None]:
    async def refuse() -> None:
        raise HTTPException(500, sentence)

    return refuse  # type: ignore[return-value]
