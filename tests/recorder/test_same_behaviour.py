"""What a program sees of asyncio is the same, recorded or not: told pair by pair.

Each program below returns what it saw. It runs three times: unrecorded, on a loop that
is recorded before it runs, and recorded from inside. All three must have seen the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import logging
import re
import sys
import threading
import traceback
from contextlib import suppress

import pytest

import dashboard
from dashboard.recorder import attach

PROGRAMS = []


def program(function):
    """Collect a program."""
    PROGRAMS.append(function)
    return function


def shape(error):
    """Return what a traceback shows: functions and lines, from the outermost frame."""
    frames = traceback.extract_tb(error.__traceback__)
    return [repr(error), *((frame.name, frame.lineno) for frame in frames)]


@program
async def exceptions():
    """An exception has the frames it always had, also through gather and a group."""

    async def fails():
        await asyncio.sleep(0)
        raise ValueError("mine")

    seen = []
    for make in (fails(), asyncio.create_task(fails()), asyncio.gather(fails())):
        try:
            await make
        except ValueError as error:
            seen.append(shape(error))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            group.create_task(asyncio.sleep(10))
    except* ValueError as errors:
        seen.append([shape(error) for error in errors.exceptions])
    return seen


@program
async def cancellation():
    """Cancelling arrives once, with its message and count, and can be refused."""
    seen = []

    async def refuses():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            seen.append((error.args, task.cancelling(), task.uncancel()))
        return "on"

    async def obeys():
        await asyncio.Event().wait()

    stubborn = asyncio.create_task(refuses())
    meek = asyncio.create_task(obeys())
    unborn = asyncio.create_task(obeys())
    unborn.cancel("before its first step")
    await asyncio.sleep(0)
    seen += [stubborn.cancel("why"), meek.cancel("so"), meek.cancel("again")]
    seen.append(await stubborn)
    for task in (meek, unborn):
        try:
            await task
        except asyncio.CancelledError as error:
            seen.append((error.args, task.cancelled(), task.cancelling()))
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(10)
    except TimeoutError as error:
        seen.append((repr(error), type(error.__cause__ or error.__context__)))
    return seen


@program
async def context_variables():
    """Each context holds what it was given, and nothing leaks from one to another."""
    variable = contextvars.ContextVar("variable", default="none")
    seen = []

    async def child(value):
        seen.append(variable.get())
        variable.set(value)
        await asyncio.sleep(0)
        seen.append(variable.get())

    variable.set("main")
    empty = contextvars.Context()
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: seen.append(("soon", variable.get())))
    loop.call_soon(lambda: seen.append(("empty", variable.get())), context=empty)
    await asyncio.gather(child("a"), child("b"))
    await loop.create_task(child("c"), context=empty)
    seen.append((variable.get(), empty[variable], variable.name in repr(list(empty))))
    seen.append([each.name for each in empty])
    return seen


@program
async def names_and_coroutines():
    """Tasks keep their names, coroutines, identity and place among all tasks."""

    async def child():
        await asyncio.sleep(0)
        return asyncio.current_task()

    coro = child()
    task = asyncio.create_task(coro, name="mine")
    await asyncio.sleep(0)
    known = asyncio.all_tasks()
    me = asyncio.current_task()
    seen = [
        task.get_name(),
        task.get_coro() is coro,
        type(task).__module__,
        len(known),
        {task, me} == known,
        [frame.f_code.co_name for frame in task.get_stack()],
        re.sub(r"0x\w+|Task-\d+|:\d+>?", "", repr(task)),
    ]
    task.set_name("other")
    seen += [task.get_name(), await task is task, asyncio.current_task() is me]
    return seen


@program
async def order():
    """Callbacks and timers run in the order in which they always did."""
    loop = asyncio.get_running_loop()
    seen = []
    done = loop.create_future()
    for number in range(3):
        loop.call_soon(seen.append, number)
    given_up = loop.call_soon(seen.append, "never")
    given_up.cancel()
    loop.call_soon_threadsafe(seen.append, "safe")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    # Apart from the others: when a timer is looked at is the loop's affair. And again
    # if the machine stopped between the lines: uvloop goes by the order of asking then.
    while True:
        now = loop.time()
        late = loop.call_at(now + 0.08, seen.append, "late")
        early = loop.call_at(now + 0.04, seen.append, "early")
        if loop.time() < now + 0.02:
            break
        late.cancel(), early.cancel()
    timer = loop.call_later(0.01, seen.append, "never")
    timer.cancel()
    loop.call_at(now + 0.1, done.set_result, None)
    seen.append((given_up.cancelled(), timer.cancelled(), timer.when() > 0))
    await done
    return seen


@program
async def complaints():
    """What asyncio complains about, it complains about as ever."""
    loop = asyncio.get_running_loop()
    seen = []
    loop.set_exception_handler(
        lambda loop, context: seen.append(
            (
                re.sub(r"0x\w+|:\d+|<.*", "", context["message"]),
                sorted(context),
                repr(context.get("exception")),
            )
        )
    )

    async def fails():
        raise ValueError("nobody looks")

    def breaks():
        raise KeyError("callback")

    forgotten = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del forgotten
    gc.collect()
    loop.call_soon(breaks)
    loop.call_later(0, breaks)
    loop.call_soon_threadsafe(breaks)
    await asyncio.sleep(0.01)
    pending = asyncio.create_task(wait_for(loop.create_future()))
    await asyncio.sleep(0)
    del pending
    gc.collect()
    return seen


async def wait_for(future):
    """Wait for what nobody else knows."""
    await future


@program
async def threads():
    """What runs in threads returns, raises and carries its context as ever."""
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("main")

    def fails():
        raise ValueError("in a thread")

    loop = asyncio.get_running_loop()
    seen = [await asyncio.to_thread(variable.get)]
    seen.append(await loop.run_in_executor(None, lambda: threading.main_thread().name))
    for ask in (asyncio.to_thread(fails), loop.run_in_executor(None, fails)):
        try:
            await ask
        except ValueError as error:
            seen.append([repr(error), shape(error)[-1]])
    for wrong in (lambda: asyncio.to_thread(), lambda: loop.run_in_executor(None)):
        try:
            await wrong()
        except TypeError as error:
            seen.append(type(error))
    return seen


@program
async def generators():
    """An asynchronous generator that is left is closed by the loop."""
    seen = []

    async def numbers():
        try:
            for number in range(5):
                yield number
        finally:
            await asyncio.sleep(0)
            seen.append("closed")

    async for number in numbers():
        seen.append(number)
        if number == 1:
            break
    gc.collect()
    await asyncio.sleep(0.001)
    return seen


@program
async def other_factories():
    """Somebody's task factory makes the tasks, whatever it makes."""
    loop = asyncio.get_running_loop()
    made = []

    class Mine(asyncio.Task):
        """A task of somebody else's."""

    def factory(loop, coro, **options):
        made.append(coro.__name__)
        return Mine(coro, loop=loop, **options)

    async def child():
        await asyncio.sleep(0)
        return type(asyncio.current_task()).__name__

    loop.set_task_factory(factory)
    try:
        seen = await asyncio.gather(child(), child())
        async with asyncio.TaskGroup() as group:
            last = group.create_task(child(), name="last")
    finally:
        loop.set_task_factory(None)
    return [seen, made, last.result(), last.get_name(), loop.get_task_factory()]


@program
async def eager_tasks():
    """Eager tasks (3.12+) run at once in their creator's step."""
    if sys.version_info < (3, 12):
        return None
    loop = asyncio.get_running_loop()
    seen = []

    async def child(number):
        seen.append(number)
        if number == 2:
            await asyncio.sleep(0)
        return asyncio.current_task() is not None

    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        tasks = [asyncio.create_task(child(n), name=f"eager {n}") for n in range(3)]
        seen += [task.done() for task in tasks]
        seen += await asyncio.gather(*tasks)
        seen += [task.get_name() for task in tasks]
    except TypeError as error:
        # uvloop 0.23 on 3.13 passes what the factory does not take.
        seen.append(repr(error))
    finally:
        loop.set_task_factory(None)
    return seen


@program
async def python_tasks():
    """Tasks written in Python (as debuggers and old libraries make them) work on."""
    task = asyncio.tasks._PyTask(asyncio.sleep(0.001, "slept"))
    other = asyncio.tasks._PyTask(asyncio.Event().wait())
    await asyncio.sleep(0)
    other.cancel()
    with suppress(asyncio.CancelledError):
        await other
    return [await task, other.cancelled()]


@program
async def odd_calls():
    """Calls with wrong arguments are refused with the errors they always had."""
    loop = asyncio.get_running_loop()
    seen = []
    for call in (
        lambda: loop.call_soon(),
        lambda: loop.call_soon(print, unknown=1),
        lambda: loop.call_later("soon", print),
        lambda: loop.call_later(1),
        lambda: loop.create_task(3),
        lambda: loop.run_until_complete(asyncio.sleep(0)),
    ):
        try:
            call()
        except Exception as error:  # noqa: BLE001 - its type is what we compare
            seen.append(type(error))
    gc.collect()
    return seen


@program
async def streams():
    """Sockets, servers and subprocesses do what they did."""

    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello\n")
    seen = [await reader.read()]
    writer.close()
    server.close()
    await server.wait_closed()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print('from a child')", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return [*seen, out, process.returncode]


def run(loop_factory, function, *, recorded, debug=False):
    """Run a program on a new loop; say what it saw, and whether recording lasted."""
    lasted = []

    async def main():
        if recorded != "inside":
            return await function()
        with dashboard.record() as recording:
            seen = await function()
            lasted.append(recording.recorder.enabled)
            return seen

    with asyncio.Runner(loop_factory=loop_factory, debug=debug) as runner:
        if recorded != "before":
            return runner.run(main()), all(lasted)
        with dashboard.record(runner.get_loop()) as recording:
            return runner.run(main()), recording.recorder.enabled


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("recorded", ["before", "inside"])
@pytest.mark.parametrize("function", PROGRAMS, ids=lambda each: each.__name__)
def test_sees_the_same(loop_factory, function, recorded, debug):
    """A program cannot tell that it is recorded, and recording lasts."""
    expected, _ = run(loop_factory, function, recorded=None, debug=debug)

    seen, lasted = run(loop_factory, function, recorded=recorded, debug=debug)

    assert seen == expected
    assert lasted
    assert not attach._recordings


@pytest.mark.parametrize("recorded", [None, "before", "inside"])
def test_slow_callbacks_are_logged(loop_factory, caplog, recorded):
    """In debug mode the log of a slow step names what was slow, and nothing of ours."""
    if loop_factory is not asyncio.new_event_loop:
        pytest.skip("uvloop logs slow callbacks in its own words")

    async def main():
        asyncio.get_running_loop().slow_callback_duration = 0.0

        async def slow():
            await asyncio.sleep(0)

        await asyncio.create_task(slow(), name="snail")

    with caplog.at_level(logging.WARNING, "asyncio"):
        run(loop_factory, main, recorded=recorded, debug=True)

    told = [record.getMessage() for record in caplog.records]
    assert any("snail" in line and "took" in line for line in told), told
    assert "dashboard" not in "".join(told)


# ----------------------------------------------------------------- together with others


def test_under_a_debugger(loop_factory):
    """With a trace function set, as debuggers and coverage do, both see it all."""
    lines = []

    def tracer(frame, event, argument):
        if frame.f_code.co_name == "traced":
            lines.append(event)
            return tracer
        return None

    async def traced():
        await asyncio.sleep(0)
        return "done"

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        result, lasted = run(loop_factory, traced, recorded="before")
        is_ours_still = sys.gettrace() is tracer
    finally:
        sys.settrace(before)

    assert (result, lasted, is_ours_still) == ("done", True, True)
    assert lines.count("line") >= 2


def test_with_an_instrumenter_that_came_first(loop_factory):
    """Who wrapped `call_soon` before us sees every call, and is there afterwards."""
    calls = []

    async def main():
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        loop = runner.get_loop()
        stock = loop.call_soon

        @functools.wraps(stock)
        def theirs(callback, *args, context=None):
            calls.append(callback)
            return stock(callback, *args, context=context)

        loop.call_soon = theirs
        with dashboard.record(loop) as recording:
            runner.run(main())
            assert recording.recorder.enabled
        assert loop.call_soon is theirs

    assert len(calls) >= 7


def test_with_an_instrumenter_of_handles(told):
    """Who wrapped `Handle._run`, as some profilers do, sees the handles it saw before."""
    ran = []
    stock = asyncio.Handle._run

    def theirs(handle):
        ran.append(handle)
        return stock(handle)

    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_later(0.001, done.set_result, None)
        await done

    asyncio.Handle._run = theirs
    try:
        run(asyncio.new_event_loop, main, recorded="before")
        is_theirs_still = asyncio.Handle._run is theirs
    finally:
        asyncio.Handle._run = stock

    assert is_theirs_still
    assert ran
    assert told().task(".main")
