"""Whatever a program does, recording neither changes it nor gives up."""

from __future__ import annotations

import asyncio
import collections.abc
import concurrent.futures
import gc
import math
import os
import threading

import pytest

import dashboard
from dashboard.recorder import attach
from dashboard.recorder.handles import to_ns
from dashboard.recorder.mishaps import MishapHooks
from dashboard.recorder.replacing import replaced
from dashboard.recorder.threads import ThreadHooks
from dashboard.records import Cell, RingState
from dashboard.ring import RingWriter


def run_recorded(loop_factory, program):
    """Run a coroutine on a recorded loop; say whether recording lasted."""
    with (
        asyncio.Runner(loop_factory=loop_factory) as runner,
        dashboard.record(runner.get_loop()) as recording,
    ):
        result = runner.run(program)
        return result, recording.recorder.enabled


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1.5, 1_500_000_000), (0, 0), (-1, 0), (math.inf, 0), (math.nan, 0), (1e11, 0)],
)
def test_times_that_never_come(seconds, expected):
    """A time that no clock reaches is unknown, not an error."""
    assert to_ns(seconds) == expected


def test_waits_for_ever(loop_factory):
    """A program may sleep for ever, and wait without a limit in any disguise."""

    async def program():
        sleeper = asyncio.create_task(asyncio.sleep(math.inf))
        long = asyncio.create_task(asyncio.sleep(1e8))
        value = await asyncio.wait_for(asyncio.sleep(0, "here"), math.inf)
        recorder = attach.current_recorder()
        for entry in recorder.tasks.values():
            entry.since_ns -= 10**9
        attach._recordings[id(asyncio.get_running_loop())]._watchdog.beat(
            recorder.now_ns()
        )
        sleeper.cancel()
        long.cancel()
        await asyncio.gather(sleeper, long, return_exceptions=True)
        return value

    assert run_recorded(loop_factory, program()) == ("here", True)


def test_odd_callables(loop_factory):
    """Callables without a name, or with a hostile one, run and are recorded."""
    called = []

    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError(name)

        def __call__(self):
            called.append("hostile")

    class Decorated:
        """As decorators make them: callable, bindable, without `__code__`."""

        def __call__(self, owner):
            called.append("decorated")

        def __get__(self, owner, kind=None):
            import types

            return types.MethodType(self, owner)

    class Owner:
        method = Decorated()

    async def program():
        loop = asyncio.get_running_loop()
        loop.call_soon(Hostile())
        loop.call_soon(Owner().method)
        loop.call_later(0, called.append, "timer")
        await asyncio.sleep(0.001)
        return sorted(called)

    result, lasted = run_recorded(loop_factory, program())

    assert result == ["decorated", "hostile", "timer"]
    assert lasted


def test_executor_of_another_kind(loop_factory):
    """A function for an executor that we do not know arrives there as it was."""
    received = []

    class Elsewhere(concurrent.futures.Executor):
        def submit(self, function, *args):
            received.append(function)
            future = concurrent.futures.Future()
            future.set_result(function(*args))
            return future

    async def program():
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(Elsewhere(), abs, -3)

    assert run_recorded(loop_factory, program()) == (3, True)
    assert received == [abs]


def test_finished_tasks_leave_nothing(loop_factory):
    """Without the garbage collector's help, a finished task's entry is freed."""

    async def program():
        await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(50)))
        return len(attach.current_recorder().tasks)

    gc.collect()
    gc.disable()
    try:
        left, _ = run_recorded(loop_factory, program())
        from dashboard.recorder.recorder import TaskReference

        references = [each for each in gc.get_objects() if type(each) is TaskReference]
    finally:
        gc.enable()

    assert left <= 1
    # The few are of tasks that ended after the recording did.
    assert len(references) < 10


def test_forked_child(loop_factory, told):
    """A child that is forked while we record leaves the parent's ring alone."""

    async def program():
        child = os.fork()
        if child == 0:
            is_off = attach.current_recorder() is None
            os._exit(0 if is_off else 1)
        _, status = os.waitpid(child, 0)  # noqa: ASYNC222 - it ends at once
        await asyncio.sleep(0)
        return os.waitstatus_to_exitcode(status), attach.current_recorder().enabled

    with pytest.warns(DeprecationWarning, match="fork") if _warns() else _quiet():
        result, lasted = run_recorded(loop_factory, program())

    assert result == (0, True)
    assert lasted
    assert told().cells[Cell.STATE] == RingState.STOPPED


def _warns():
    import sys

    return sys.version_info >= (3, 12)


def _quiet():
    import contextlib

    return contextlib.nullcontext()


def test_ends_of_the_program(loop_factory):
    """A task that ends the program leaves no entry that a later task could inherit."""

    async def program():
        raise SystemExit(3)

    with (
        asyncio.Runner(loop_factory=loop_factory) as runner,
        dashboard.record(runner.get_loop()) as recording,
    ):
        with pytest.raises(SystemExit):
            runner.run(program())
        assert recording.recorder.current == 0


def test_half_a_start(loop_factory, monkeypatch):
    """A recording that cannot start takes off again what it had put on."""

    def fails(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fails)

    async def program():
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match="new thread"):
            dashboard.record().__enter__()
        return "call_soon" in loop.__dict__, attach.current_recorder()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(program()) == (False, None)


def test_entry_is_whole_when_it_is_seen(loop_factory):
    """Whoever looks at the tasks from another thread never finds half of an entry."""
    seen = []

    class Odd(collections.abc.Coroutine):
        """Looks at the recorder's tasks while its own is being noted."""

        @property
        def cr_code(self):
            entries = attach.current_recorder().tasks.values()
            # An attribute that is not there yet leaves nothing seen.
            seen.extend([(each.state, each.since_ns, each.gone) for each in entries])
            return None

        def send(self, value):
            raise StopIteration(7)

        def throw(self, kind, value=None, traceback=None):
            raise kind

        def __await__(self):
            yield

    async def program():
        return await asyncio.get_running_loop().create_task(Odd())

    assert run_recorded(loop_factory, program()) == (7, True)
    assert seen


def test_a_part_that_does_not_come_off(loop_factory, monkeypatch, caplog):
    """If one part of the recorder fails at the end, the loop closes, all others are off."""

    def fails(self):
        raise RuntimeError("stays")

    monkeypatch.setattr(ThreadHooks, "remove", fails)
    monkeypatch.setattr(MishapHooks, "remove", fails)
    loop = loop_factory()
    recording = dashboard.record(loop).__enter__()
    loop.run_until_complete(asyncio.sleep(0.001))
    try:
        loop.close()
    finally:
        monkeypatch.undo()
        recording._threads.remove()

    assert loop.is_closed()
    assert replaced(loop, "close") is replaced(loop, "call_soon") is None
    assert recording._watchdog._stopped
    assert len(caplog.records) == 2


def test_stop_that_fails(loop_factory, monkeypatch):
    """Whatever happens while recording ends, the loop is closed."""

    def fails(self, state):
        raise RuntimeError("no ring")

    loop = loop_factory()
    recording = dashboard.record(loop).__enter__()
    with monkeypatch.context() as patch:
        patch.setattr(RingWriter, "close", fails)
        with pytest.raises(RuntimeError, match="no ring"):
            loop.close()
    recording.stop()

    assert loop.is_closed()


def test_nothing_is_kept_of_what_was_recorded(loop_factory):
    """After the end the recorder knows no task, though somebody wrapped its hooks."""

    async def program():
        waiting = asyncio.create_task(asyncio.sleep(60))
        with dashboard.record() as recording:
            await asyncio.sleep(0.001)
            assert recording.recorder.tasks
        waiting.cancel()
        return recording.recorder

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        recorder = runner.run(program())

    assert not recorder.tasks
