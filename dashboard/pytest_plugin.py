"""A pytest plugin: a test fails when one step held its event loop for too long.

    pytest --loopscope-max-step-ms=50

or `loopscope_max_step_ms = 50` in pytest's configuration, or for one test or module
`@pytest.mark.loopscope_max_step_ms(50)`; None there lets a test do what it likes. What
counts is the test itself, not its fixtures. Works with whatever runs the loop:
`asyncio.run`, pytest-asyncio, anyio, unittest; on uvloop, too.

Without any of these nothing is imported, and no test has a hook of ours around it.
"""

from __future__ import annotations

import linecache
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from dashboard.long_steps import LongStep, LongSteps
    from dashboard.server.reading.names import Place

NAME = "loopscope_max_step_ms"
CHECKER = "loopscope-checker"
#: Below this a step is mostly the machine's affair.
MIN_MS = 1.0
MAX_TOLD = 5


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the line of the configuration file."""
    what = "fail a test when one step holds its event loop for longer than that"
    group = parser.getgroup("loopscope", "asyncio event loops")
    group.addoption("--loopscope-max-step-ms", dest=NAME, metavar="MS", help=what)
    parser.addini(NAME, f"{what} (milliseconds)", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; begin to check if that is asked for."""
    config.addinivalue_line(
        "markers",
        f"{NAME}(ms): fail this test when one step holds its event loop for longer "
        "than that; None: never",
    )
    given = config.getoption(NAME) or config.getini(NAME)
    if given:
        _begin(config, _to_ms(given, "the option " + NAME))


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Begin to check if a marker asks for it."""
    if not config.pluginmanager.hasplugin(CHECKER):
        if any(item.get_closest_marker(NAME) for item in items):
            _begin(config, None)


def _begin(config: pytest.Config, max_ms: float | None) -> None:
    config.pluginmanager.register(Checker(config.rootpath, max_ms), CHECKER)


def _to_ms(given: object, where: str) -> float:
    try:
        ms = float(str(given))
    except ValueError:
        ms = 0.0
    if not MIN_MS <= ms < float("inf"):
        raise pytest.UsageError(
            f"{where} is a number of milliseconds from {MIN_MS:g} on, got {given!r}"
        )
    return ms


class Checker:
    """What stands around each test that is checked."""

    def __init__(self, root: Path, max_ms: float | None) -> None:
        from dashboard.server.reading.folders import make_session_folder

        self._root = root
        self._max_ms = max_ms
        self._folder = make_session_folder()
        self._not_whole: list[str] = []

    def __repr__(self) -> str:
        return f"<Checker of steps over {self._max_ms} ms>"

    def _allowed_ms(self, item: pytest.Item) -> float | None:
        marker = item.get_closest_marker(NAME)
        if marker is None:
            return self._max_ms
        values = [*marker.args, *marker.kwargs.values()]
        if values == [None]:
            return None
        value = values[0] if len(values) == 1 else values
        return _to_ms(value, f"the marker {NAME} of {item.nodeid}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Record every loop that the test runs, and look at its steps."""
        from pathlib import Path

        from dashboard.long_steps import LongSteps

        max_ms = self._allowed_ms(item)
        if max_ms is None:
            return (yield)
        watch = LongSteps(max_ns=round(max_ms * 1e6), folder=Path(self._folder.name))
        try:
            with watch:
                result = yield
        except BaseException:
            # It failed by itself, or is skipped: that stays what is told first.
            if watch.steps:
                item.add_report_section("call", "loopscope", self._told(watch, max_ms))
            raise
        if watch.missed:
            self._not_whole.append(item.nodeid)
        if watch.steps:
            pytest.fail(self._told(watch, max_ms), pytrace=False)
        if watch.problems:
            pytest.fail(
                f"loopscope could not look at the steps of this test's loop: "
                f"{'; '.join(watch.problems)}",
                pytrace=False,
            )
        return result

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        """Say which tests were too long to be looked at from their first step on."""
        for nodeid in self._not_whole:
            terminalreporter.write_line(
                f"loopscope: {nodeid} made more steps than are kept; "
                "only its last ones were looked at"
            )

    def pytest_unconfigure(self) -> None:
        """Leave no ring behind."""
        self._folder.cleanup()

    def _told(self, watch: LongSteps, max_ms: float) -> str:
        count = len(watch.steps)
        held = "one step" if count == 1 else f"{count} steps"
        lines = [f"{held} held the event loop for longer than {max_ms:g} ms ({NAME})"]
        for step in watch.steps[:MAX_TOLD]:
            lines += self._told_of(step)
        if count > MAX_TOLD:
            lines.append(f"  and {count - MAX_TOLD} shorter ones")
        return "\n".join(lines)

    def _told_of(self, step: LongStep) -> list[str]:
        from dashboard.recorder.reasons import is_users_file

        length = f"  {step.length_ns / 1e6:.1f} ms"
        who = self._place(step.who)
        if step.line is None:
            how = "at a line that nobody saw" if step.who.file else "not Python code"
            return [f"{length} in {who}, {how}"]
        lines = [f"{length} at {self._place(step.line)}"]
        code = linecache.getline(step.line.file, step.line.line).strip()
        if code:
            lines.append(f"      {code}")
        if step.who.function != step.line.function and is_users_file(step.who.file):
            lines.append(f"      in {who}")
        return lines

    def _place(self, place: Place) -> str:
        if not place.file:
            return place.function
        file = place.file
        if file.startswith(f"{self._root}{os.sep}"):
            file = os.path.relpath(file, self._root)
        return f"{file}:{place.line} in {place.function}"
