"""The name that a program gave a task is told; names that nobody gave are not."""

from __future__ import annotations

import asyncio
import functools

import pytest

import dashboard
from dashboard.recorder import titles
from dashboard.records import FIELD_SEPARATOR, Kind


def named(told):
    """Return the names that were told of each task, with its coroutine's."""
    births = {record.a: told.strings[record.b] for record in told.of(Kind.BORN)}
    return [
        (
            births[record.a].split(FIELD_SEPARATOR)[0].rpartition(".")[2],
            told.strings[record.b],
        )
        for record in told.of(Kind.NAMED)
    ]


async def poll():
    await asyncio.sleep(0)


async def linger():
    await asyncio.sleep(0.005)


def test_name_given_at_birth(run):
    """However a task is made, the name that it is given then is told, and once."""

    async def program():
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()

        def create_task(name):
            return asyncio.create_task(poll())

        tasks = [
            create_task("of our own"),
            asyncio.create_task(poll(), name="poller"),
            # uvloop tells nobody before it waits.
            loop.create_task(linger(), name="ticker"),
            asyncio.create_task(poll()),
            asyncio.create_task(poll(), name="Task-99"),
        ]
        async with asyncio.TaskGroup() as group:
            group.create_task(poll(), name="grouped")
            group.create_task(poll())
        await asyncio.gather(*tasks)

    assert sorted(named(run(program))) == [
        ("linger", "ticker"),
        ("poll", "grouped"),
        ("poll", "poller"),
    ]


def test_name_given_later(run):
    """A name that is set, or set anew, is told at the next wait that lasts."""
    names = ["first", "second\nline", "third"]

    async def renamed():
        for name in names:
            asyncio.current_task().set_name(name)
            await asyncio.sleep(0.005)

    async def program():
        await asyncio.sleep(0)
        await asyncio.create_task(renamed())

    told = [name for coroutine, name in named(run(program)) if coroutine == "renamed"]
    assert told == ["first", "second line", "third"]


def test_task_of_before(loop_factory, told):
    """A task that was there before recording began has its name as well."""

    async def main():
        task = asyncio.create_task(linger(), name="early")
        await asyncio.sleep(0)
        with dashboard.record():
            await task

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())

    strings = told().strings
    assert [strings[record.b] for record in told().of(Kind.NAMED)] == ["early"]


def test_names_of_functions(run):
    """What anyio calls its tasks by itself is no given name; what it is told to is."""
    anyio = pytest.importorskip("anyio")

    async def program():
        await asyncio.sleep(0)
        async with anyio.create_task_group() as group:
            group.start_soon(poll)
            group.start_soon(functools.partial(poll))
            group.start_soon(linger, name="poller")

    assert named(run(program)) == [("linger", "poller")]


def test_names_are_bounded(run, monkeypatch):
    """A program that numbers its tasks does not fill the table of strings."""
    monkeypatch.setattr(titles, "MAX_TITLES", 3)

    async def program():
        await asyncio.sleep(0)
        for number in range(9):
            await asyncio.create_task(poll(), name=f"job {number}")

    assert named(run(program)) == [("poll", f"job {number}") for number in range(3)]
