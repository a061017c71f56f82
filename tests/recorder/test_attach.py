"""The doors: begin anywhere, see everything, leave nothing behind."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
from typing import TYPE_CHECKING

import pytest

import dashboard
from dashboard.errors import RecorderError
from dashboard.recorder import attach
from dashboard.records import (
    OWNER_NAME_BITS,
    OWNER_NAME_MASK,
    Cell,
    Kind,
    Origin,
    RingState,
)

if TYPE_CHECKING:
    from pathlib import Path


def run(loop_factory, program):
    """Run a coroutine on a loop of that kind, and close the loop."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(program)


def attributes(loop: asyncio.AbstractEventLoop) -> dict[str, object]:
    """Return what an instance carries that recording could have put there."""
    selector = getattr(loop, "_selector", None)
    names = {"call_soon", "call_at", "call_later", "call_soon_threadsafe", "close"}
    found = {name: loop.__dict__[name] for name in names if name in loop.__dict__}
    return found | {"select": getattr(selector, "__dict__", {}).get("select")}


def test_joins_a_running_loop(loop_factory, told):
    """Tasks that existed before are told by name, and followed from then on."""

    async def old(door: asyncio.Event):
        await door.wait()

    async def main():
        door = asyncio.Event()
        task = asyncio.create_task(old(door))
        await asyncio.sleep(0)
        with dashboard.record():
            door.set()
            await task

    run(loop_factory, main())

    records = told()
    number = records.task(".old")
    assert number in {record.a for record in records.of(Kind.ADOPTED)}
    assert number in {record.a for record in records.of(Kind.WAKE)}
    assert number in {record.a for record in records.of(Kind.STEP_DONE)}


def test_waits_for_a_loop_that_does_not_run_yet(loop_factory, told):
    """A loop can be recorded before it runs, and is from its first step."""

    async def main():
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        loop = runner.get_loop()
        with dashboard.record(loop):
            runner.run(main())

    records = told()
    assert records.names(Kind.BORN)[0].endswith(".main")
    assert [
        record.kind
        for record in records.of(Kind.STEP_READY, Kind.STEP_DONE)
        if record.a == records.task(".main")
    ] == [Kind.STEP_READY, Kind.STEP_DONE]


def test_needs_a_loop():
    """Outside of any loop the error says what to do instead."""
    with pytest.raises(RecorderError, match=r"pass the loop: record\(loop\)"):
        dashboard.record().__enter__()


def test_everything_is_put_back(loop_factory):
    """After the recording the loop has the attributes that it had before."""

    async def main():
        loop = asyncio.get_running_loop()
        before = attributes(loop)
        with dashboard.record():
            assert attributes(loop) != before
            await asyncio.sleep(0)
        assert attributes(loop) == before
        await asyncio.sleep(0)

    run(loop_factory, main())


def test_someone_elses_patch_stays(loop_factory):
    """Who replaced `call_soon` after us is not undone when we leave."""

    async def main():
        loop = asyncio.get_running_loop()
        calls = []
        with dashboard.record():
            ours = loop.call_soon

            def theirs(callback, *args, context=None):
                calls.append(callback)
                return ours(callback, *args, context=context)

            loop.call_soon = theirs
            await asyncio.sleep(0)
        assert loop.call_soon is theirs
        seen = len(calls)
        await asyncio.sleep(0)
        assert len(calls) > seen > 0

    run(loop_factory, main())


def test_closing_the_loop_ends_the_recording(loop_factory, told):
    """A loop that is closed while it is recorded leaves a ring that says so."""
    loop = loop_factory()
    attach.start_recording(loop, title="t")
    loop.run_until_complete(asyncio.sleep(0))

    loop.close()

    assert told().cells[Cell.STATE] == RingState.STOPPED
    assert not attach._recordings


def test_recorded_once_however_many_ask(loop_factory, ring_dir: Path):
    """A second recording of the same loop joins the first; the last one ends it."""

    async def main():
        with dashboard.record() as outer:
            with dashboard.record() as inner:
                assert inner is outer
            await asyncio.sleep(0)
            assert outer.recorder.enabled
        assert not outer.recorder.enabled

    run(loop_factory, main())

    assert len(list(ring_dir.glob("*.ring"))) == 1


def test_who_woke_it(loop_factory, told):
    """A wake names its waker: the task that set the future, or nobody for a timer."""

    async def sleeper(door: asyncio.Future[None]):
        await door

    async def waker(door: asyncio.Future[None]):
        door.set_result(None)

    async def main():
        with dashboard.record():
            door = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(sleeper(door))
            await asyncio.sleep(0)
            await asyncio.create_task(waker(door))
            await task
            await asyncio.sleep(0.001)

    run(loop_factory, main())

    records = told()
    wakes = {record.a: record.u for record in records.of(Kind.WAKE)}
    assert wakes[records.task(".sleeper")] == records.task(".waker")
    # The last wake of main is its timer's: a callback, by name.
    by = wakes[records.task(".main")]
    assert by < 0
    assert -by >> OWNER_NAME_BITS == Origin.TIMER
    name = records.strings[-by & OWNER_NAME_MASK]
    assert name.startswith("_set_result_unless_cancelled")


def test_how_a_task_ended(loop_factory, told):
    """Returning, raising and being cancelled are told apart, and stay as they were."""

    async def fails():
        raise ValueError("a")

    async def returns():
        pass

    async def waits():
        await asyncio.Event().wait()

    async def main():
        with dashboard.record():
            tasks = [asyncio.create_task(each()) for each in (fails, returns, waits)]
            await asyncio.sleep(0)
            tasks[2].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [ValueError, type(None), asyncio.CancelledError] == [
            type(result) for result in results
        ]

    run(loop_factory, main())

    records = told()
    ends = {
        record.a: record.kind
        for record in records.of(Kind.STEP_RAISED, Kind.STEP_DONE, Kind.STEP_CANCELLED)
    }
    assert ends[records.task(".fails")] == Kind.STEP_RAISED
    assert ends[records.task(".returns")] == Kind.STEP_DONE
    assert ends[records.task(".waits")] == Kind.STEP_CANCELLED


def test_task_that_nobody_keeps(loop_factory, told):
    """A pending task that is destroyed is told as gone, and its number not reused."""

    async def main():
        loop = asyncio.get_running_loop()
        silent = lambda loop, context: None  # noqa: E731
        loop.set_exception_handler(silent)
        with dashboard.record():
            for _ in range(3):
                task = asyncio.create_task(forgotten(loop.create_future()))
                await asyncio.sleep(0)
                # Only its future knows it, and nobody knows the future.
                del task
            gc.collect()

    async def forgotten(future: asyncio.Future[None]):
        await future

    run(loop_factory, main())

    numbers = [record.a for record in told().of(Kind.GONE)]
    assert len(numbers) == len(set(numbers)) == 3


def test_contexts_are_untouched(loop_factory):
    """Callbacks and tasks run in the very contexts that they were given."""
    variable = contextvars.ContextVar("variable", default="none")
    seen = []

    async def child():
        seen.append(variable.get())

    async def main():
        loop = asyncio.get_running_loop()
        variable.set("main")
        empty = contextvars.Context()
        loop.call_soon(lambda: seen.append(variable.get()))
        loop.call_soon(lambda: seen.append(variable.get()), context=empty)
        await asyncio.create_task(child(), context=contextvars.Context())
        await asyncio.create_task(child())

    with (
        asyncio.Runner(loop_factory=loop_factory) as runner,
        dashboard.record(runner.get_loop()),
    ):
        runner.run(main())

    assert seen == ["main", "none", "none", "main"]


def test_failing_callbacks_are_reported_as_ever(loop_factory):
    """A callback's exception reaches the loop's handler with the stock message."""

    def messages(*, recorded: bool) -> list[str]:
        told: list[str] = []

        def fails():
            raise ValueError("a")

        async def main():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(
                lambda loop, context: told.append(
                    f"{context['message'].partition(' at ')[0]} "
                    f"{context['exception']!r}"
                )
            )
            loop.call_soon(fails)
            loop.call_later(0.001, fails)
            await asyncio.sleep(0.01)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            if recorded:
                with dashboard.record(runner.get_loop()):
                    runner.run(main())
            else:
                runner.run(main())
        return told

    assert messages(recorded=True) == messages(recorded=False)
    assert len(messages(recorded=True)) == 2


def test_debug_mode_still_checks(loop_factory):
    """With debug on, calling from the wrong thread is refused as ever."""

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        with dashboard.record():
            with pytest.raises(RuntimeError, match="thread"):
                await asyncio.to_thread(loop.call_soon, print)
            await asyncio.sleep(0)

    run(loop_factory, main())


def test_threads_are_told(loop_factory, told):
    """A function in a worker thread is asked for, begun and ended, in that order."""

    async def main():
        with dashboard.record():
            await asyncio.to_thread(threading.get_ident)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, threading.get_ident)

    run(loop_factory, main())

    kinds = (Kind.THREAD_QUEUED, Kind.THREAD_BEGIN, Kind.THREAD_END)
    records = told().of(*kinds)
    for call in {record.a for record in records}:
        mine = sorted((r for r in records if r.a == call), key=lambda r: r.t)
        assert [record.kind for record in mine] == list(kinds)
    assert len({record.a for record in records}) == 2


def test_failing_hook(loop_factory, caplog, told):
    """A hook that fails switches recording off, says so once; the app goes on."""

    def fails():
        raise ZeroDivisionError

    async def main():
        with dashboard.record() as recording:
            recording.recorder.ring.advance = fails
            for _ in range(5):
                await asyncio.sleep(0)
            assert "call_soon" not in recording.loop.__dict__
            await asyncio.sleep(0.001)
            return 42

    with caplog.at_level(logging.ERROR, "loopscope"):
        assert run(loop_factory, main()) == 42

    assert [r.getMessage() for r in caplog.records] == [
        "recording stopped; the observed program goes on"
    ]
    cells = told().cells
    assert cells[Cell.STATE] == RingState.FAILED
    assert told().strings[cells[Cell.NOTE]] == (
        "recording stopped: ZeroDivisionError in a hook"
    )


def test_stalled_step_is_sampled(loop_factory, told):
    """While a step holds the loop, its line of the user's code is in the ring."""
    seen = threading.Event()

    class Watched:
        """The ring, and an event when a sample is in it."""

        def __init__(self, ring):
            self._ring = ring

        def __getattr__(self, name):
            return getattr(self._ring, name)

        def write(self, kind, *rest):
            self._ring.write(kind, *rest)
            if kind == Kind.SAMPLE:
                seen.set()

    async def main():
        with dashboard.record() as recording:
            await asyncio.sleep(0)
            recording.recorder.ring = Watched(recording.recorder.ring)
            blocked(seen)

    def blocked(seen: threading.Event):
        assert seen.wait(10), "no sample of a blocked loop within 10 s"

    run(loop_factory, main())

    records = told()
    (sample, *_) = records.of(Kind.SAMPLE)
    file, _, function = records.strings[sample.a].split("\x1f")
    assert file == __file__
    assert function.endswith(".blocked")
    assert sample.u < sample.t


def test_decorated_program(loop_factory, told):
    """A decorated coroutine function is recorded while it runs, as it is named."""

    @dashboard.record(title="nightly import")
    async def main(number: int, *, more: int) -> int:
        """Import."""
        await asyncio.create_task(asyncio.sleep(0))
        return number + more

    assert run(loop_factory, main(1, more=2)) == 3

    assert main.__name__ == "main"
    assert main.__doc__ == "Import."
    assert told().task("sleep")
    assert told().cells[Cell.STATE] == RingState.STOPPED
    assert not attach._recordings


def test_decorated_many_times(loop_factory, ring_dir: Path):
    """One decorated function may run again and twice at once: one ring a loop."""

    @dashboard.record()
    async def part():
        await asyncio.sleep(0.001)

    async def main():
        await asyncio.gather(part(), part())

    run(loop_factory, main())
    run(loop_factory, main())

    assert len(list(ring_dir.glob("*.ring"))) == 2
    assert not attach._recordings


def test_decorated_program_fails(loop_factory, told):
    """Its exception comes out as it is, and the recording ends."""

    @dashboard.record()
    async def main():
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        run(loop_factory, main())

    assert told().cells[Cell.STATE] == RingState.STOPPED


def test_decorated_in_a_plain_run(told):
    """`asyncio.run` is all that a program needs."""

    @dashboard.record(title="plain")
    async def main():
        await asyncio.sleep(0)

    asyncio.run(main())

    assert told().cells[Cell.STATE] == RingState.STOPPED


@pytest.mark.parametrize("wrong", [lambda: None, print, 3])
def test_decorated_wrongly(wrong):
    """What is no coroutine function is refused when it is decorated."""
    with pytest.raises(RecorderError, match="is for coroutine functions"):
        dashboard.record()(wrong)


def test_forgotten_parentheses():
    """`@record` alone is told apart from a loop."""
    with pytest.raises(RecorderError, match=r"@record\(\)"):

        @dashboard.record
        async def main():
            pass
