"""The rest of what a loop does: eager tasks, pauses, lost exceptions, cancellations."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
from contextlib import suppress

import pytest
from playing import Played

import dashboard
from dashboard.recorder import pauses
from dashboard.recorder.recorder import current_request
from dashboard.records import Kind
from dashboard.server.model.incidents import IncidentKind

needs_eager = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks are new in 3.12"
)


@pytest.fixture
def run(run):
    """Run a recorded program; return what was told, played."""
    return lambda program: Played(run(program))


# ------------------------------------------------------------------------- eager


@needs_eager
@pytest.mark.parametrize("name", [None, "given"])
def test_eager_task_that_is_over(run, loop_factory, name):
    """Whatever is done with a task that ended at once, its coroutine is not asked for:
    CPython 3.12.1 would crash."""
    if sys.version_info[:2] == (3, 13) and "uvloop" in loop_factory.__module__:
        pytest.skip("uvloop passes what 3.13.0's own eager factory does not take")

    async def quick():
        return 42

    async def fail():
        raise ValueError

    async def program():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        loop.set_exception_handler(lambda *_: None)
        task = loop.create_task(quick(), name=name)
        loop.call_soon(task.cancel)
        loop.create_task(fail(), name=name)  # noqa: RUF006 - nobody looks at it
        await asyncio.sleep(0.01)
        return task.result()

    run(program)
    assert program.result == 42


@needs_eager
def test_eager_tasks(run, loop_factory):
    """An eager task's first step is told, within that of its creator."""
    if sys.version_info[:2] == (3, 13) and "uvloop" in loop_factory.__module__:
        pytest.skip("uvloop passes what 3.13.0's own eager factory does not take")

    async def brief():
        return 1

    async def lasting(door):
        await door
        return 2

    async def program():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        loop.set_task_factory(asyncio.eager_task_factory)
        door = loop.create_future()
        one, two = loop.create_task(brief()), loop.create_task(lasting(door))
        assert (one.done(), two.done()) == (True, False)
        await asyncio.sleep(0)
        door.set_result(None)
        return await two

    played = run(program)
    told = played.told
    ran = {told_of(told, record.a): record for record in told.of(Kind.EAGER)}
    assert program.result == 2
    assert {name.rpartition(".")[2]: record.b for name, record in ran.items()} == {
        "brief": 1,
        "lasting": 0,
    }
    creator = next(
        record
        for record in told.of(Kind.STEP_READY)
        if record.t <= ran_of(ran, "brief").t <= record.u
    )
    for record in ran.values():
        assert creator.t <= record.t <= record.u <= creator.u
    done = [told_of(told, record.a) for record in told.of(Kind.STEP_DONE)]
    assert any(name.endswith("lasting") for name in done)


@needs_eager
def test_eager_task_in_an_empty_context(told):
    """An eager task that was given an empty context belongs to no request."""

    async def child():
        pass

    async def program():
        loop = asyncio.get_running_loop()
        with dashboard.record():
            await asyncio.sleep(0)
            loop.set_task_factory(asyncio.eager_task_factory)
            token = current_request.set(7)
            made = [
                loop.create_task(child()),
                loop.create_task(child(), context=contextvars.Context()),
            ]
            current_request.reset(token)
            return made

    asyncio.run(program())
    played = told()
    requests = [
        record.u >> 32
        for record in played.of(Kind.BORN)
        if played.strings[record.b].partition("\x1f")[0].endswith("child")
    ]
    assert requests == [7, 0]


def told_of(told, task):
    """Return the name of a task's birth."""
    (born,) = (record for record in told.of(Kind.BORN) if record.a == task)
    return told.strings[born.b].partition("\x1f")[0]


def ran_of(ran, name):
    """Return the record of the task of that name."""
    (record,) = (record for found, record in ran.items() if found.endswith(name))
    return record


@needs_eager
def test_factory_is_left_alone(run):
    """The factory that an app sets is the one that it gets back, and all that is made."""
    made = []

    def factory(loop, coro, **options):
        made.append(coro.__qualname__)
        return asyncio.Task(coro, loop=loop, **options)

    async def child():
        await asyncio.sleep(0)

    async def program():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        await loop.create_task(child(), name="one")
        found = loop.get_task_factory()
        loop.set_task_factory(None)
        await loop.create_task(child())
        return found

    played = run(program)
    assert program.result is factory
    assert len(made) == 1
    assert played.told.of(Kind.EAGER) == []
    assert len([n for n in played.told.names(Kind.BORN) if n.endswith("child")]) == 2


# ------------------------------------------------------------------------ pauses


def test_pause(run, monkeypatch):
    """A collection that lasts is told with its generation, and whose thread it was."""
    monkeypatch.setattr(pauses, "WORTH_NS", 0)

    async def program():
        await asyncio.create_task(asyncio.sleep(0))
        gc.collect()

    played = run(program)
    (pause,) = played.told.of(Kind.PAUSE)[-1:]
    assert (pause.a, pause.b) == (2, 1)
    assert pause.t <= pause.u
    assert IncidentKind.PAUSE in {each.kind for each in played.incidents.kept}


def test_short_pause(run, monkeypatch):
    """What nobody would notice is not told."""
    monkeypatch.setattr(pauses, "WORTH_NS", 10**12)

    async def program():
        gc.collect()

    assert run(program).told.of(Kind.PAUSE) == []


# -------------------------------------------------------------------- exceptions


def test_exception_never_retrieved(run):
    """An exception that nobody looked at is told with its line, not with its words."""
    heard = []

    async def fails():
        raise ValueError("the password is 1234")

    async def program():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: heard.append(context["message"]))
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert task.done()
        del task
        gc.collect()

    played = run(program)
    (incident,) = (
        each for each in played.incidents.kept if each.kind == IncidentKind.EXCEPTION
    )
    assert heard == ["Task exception was never retrieved"]
    assert incident.text == "Task exception was never retrieved: ValueError"
    assert "in test_exception_never_retrieved.<locals>.fails" in incident.where
    assert incident.label == "test_exception_never_retrieved.<locals>.fails"
    assert "password" not in " ".join(played.told.strings)


def test_task_forgotten(run):
    """A task that is thrown away while it waits is told by its name and where it is
    written."""

    async def waits():
        await asyncio.get_running_loop().create_future()

    async def program():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        asyncio.create_task(waits())  # noqa: RUF006
        await asyncio.sleep(0.01)
        gc.collect()

    played = run(program)
    (incident,) = (
        each for each in played.incidents.kept if each.kind == IncidentKind.EXCEPTION
    )
    assert incident.text == "Task was destroyed but it is pending!"
    assert incident.label == "test_task_forgotten.<locals>.waits"
    assert "test_rest.py:" in incident.where


def test_exception_in_a_callback(run):
    """A callback that raises is told, without its arguments."""

    def explode(secret):
        raise KeyError(secret)

    async def program():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        loop.call_soon(explode, "the password")
        await asyncio.sleep(0)

    played = run(program)
    (record,) = played.told.of(Kind.EXCEPTION)
    assert played.told.strings[record.b].split("\x1f")[:2] == [
        "Exception in callback",
        "KeyError",
    ]
    assert "password" not in " ".join(played.told.strings)


class Untrue:
    """What does not want to be asked for its truth or its text."""

    def __bool__(self):
        raise ZeroDivisionError

    __str__ = __len__ = __bool__


@pytest.mark.parametrize(
    "context",
    [
        None,
        {"message": "order 4711 of the password"},
        {"message": "closing: the password", "exception": Untrue(), "task": Untrue()},
        {"message": Untrue(), "future": Untrue()},
        {"message": "Exception in callback the password"},
    ],
)
def test_whatever_the_handler_is_told(loop_factory, told, context):
    """Anybody may call the handler with anything: no words of theirs are recorded."""
    heard = []

    async def program():
        with dashboard.record() as recording:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: heard.append(context))
            loop.call_exception_handler(context)
            return recording.recorder.enabled

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(program())
    played = told()
    (record,) = played.of(Kind.EXCEPTION)
    # From 3.12 on asyncio itself trips over what is no dict, and logs that.
    assert heard == [context] or context is None
    assert played.strings[record.b].partition("\x1f")[0] in (
        "an error in the loop",
        "Exception in callback",
    )
    assert "password" not in " ".join(played.strings)


def test_never_retrieved_by_any_name(loop_factory, told):
    """A task's exception is a task's, whatever its class is called."""

    class SecretTask(asyncio.Task):
        pass

    async def fails():
        raise ValueError

    async def program():
        with dashboard.record():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda *_: None)
            task = SecretTask(fails(), loop=loop)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert task.done()
            del task
            gc.collect()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(program())
    played = told()
    (record,) = played.of(Kind.EXCEPTION)
    text = played.strings[record.b].partition("\x1f")[0]
    assert text == "Task exception was never retrieved"


# ------------------------------------------------------------------ cancellation


def incidents(played, kind):
    """Return label and sentence of each incident of a kind."""
    return [
        (each.label.rpartition(".")[2], each.text, each.by.rpartition(".")[2])
        for each in played.incidents.kept
        if each.kind == kind
    ]


def test_cancelled_by_a_task(run):
    """A cancelled task is told with who did it, through the tasks that it awaited."""

    async def inner():
        await asyncio.sleep(20)

    async def outer():
        await asyncio.create_task(inner())

    async def program():
        task = asyncio.create_task(outer())
        await asyncio.sleep(0.002)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    told = incidents(run(program), IncidentKind.CANCELLED)
    assert [(label, by) for label, _, by in told] == [
        ("inner", "recorded"),
        ("outer", "recorded"),
    ]


def test_cancelled_by_its_group(run):
    """A task that its group cancelled says so."""

    async def waits():
        await asyncio.sleep(20)

    async def fails():
        await asyncio.sleep(0.002)
        raise ValueError

    async def program():
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(waits())
                group.create_task(fails())

    told = incidents(run(program), IncidentKind.CANCELLED)
    assert ("waits", "cancelled by its task group", "its task group") in told


def test_timeout(run):
    """A timeout that fires is told, with what the task was waiting for."""

    async def program():
        with suppress(TimeoutError):
            async with asyncio.timeout(0.005):
                await asyncio.sleep(20)

    ((label, text, by),) = incidents(run(program), IncidentKind.TIMEOUT)
    assert label == "recorded"
    assert text.startswith("asyncio.timeout fired while it waited")
    assert by == "timeout"


def test_nothing_happened(run):
    """A program in which nothing goes wrong has no incidents but pauses."""

    async def program():
        await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(5)))

    assert {each.kind for each in run(program).incidents.kept} <= {IncidentKind.PAUSE}
