"""A scripted program with a clock of its own is reproduced to the nanosecond."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest
from clocks import FakeClock
from rings import read_ring

from dashboard.recorder.attach import hooks_for
from dashboard.recorder.recorder import Recorder
from dashboard.records import Kind, RingState
from dashboard.ring import create_ring
from dashboard.server.model.journal import Journal
from dashboard.server.model.lanes import State
from dashboard.server.model.loop_model import LoopModel
from dashboard.server.model.splits import Requests
from dashboard.server.model.stalls import Stalls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rings import Told

    LoopFactory = Callable[[], asyncio.AbstractEventLoop]

MS = 1_000_000
STEPS = {
    Kind.STEP_WAITING,
    Kind.STEP_READY,
    Kind.STEP_DONE,
    Kind.STEP_RAISED,
    Kind.STEP_CANCELLED,
}


def run_recorded(
    loop_factory: LoopFactory,
    clock: FakeClock,
    program: Callable[[FakeClock], Awaitable[Any]],
) -> Told:
    """Run a program under the hooks alone, on the test's clock."""
    ring = create_ring(kind="test", title="truth", loop_no=1, records_bytes=1 << 20)
    recorder = Recorder(ring, now_ns=clock)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        hooks = hooks_for(recorder, runner.get_loop())
        hooks.install()
        try:
            runner.run(program(clock))  # type: ignore[arg-type]
        finally:
            recorder.enabled = False
            hooks.remove()
            ring.close(RingState.STOPPED)
    return read_ring(ring.path)


def lives_of(told: Told) -> dict[str, list[tuple[str, int, int]]]:
    """Return each task's life as the page would draw it: (state, from, to)."""
    journal = Journal()
    requests = Requests(journal)
    model = LoopModel(1, journal=journal, requests=requests, stalls=Stalls(requests))
    model.names.strings = told.strings
    model.open_lane("loop", told.records[0].t)
    model.feed(told.data)
    change = journal.take(0)
    labels = {lane.id: change.strings[lane.label] for lane in change.lanes}
    lives: dict[str, list[tuple[str, int, int]]] = {}
    begun: dict[int, tuple[int, int]] = {}
    for row in change.rows:
        label = labels[row.lane].rpartition(".")[2]
        if row.lane in begun:
            state, since = begun[row.lane]
            if since < row.t:
                life = lives.setdefault(label, [])
                life.append((State(state).name.lower(), since, row.t))
        begun[row.lane] = (row.state, row.t)
    return lives


def test_a_script_of_runs_and_waits_is_told_exactly(loop_factory):
    """Every interval of two tasks that work and wait comes back as it was."""

    async def program(clock: FakeClock) -> None:
        loop = asyncio.get_running_loop()
        door: asyncio.Future[None] = loop.create_future()

        async def first() -> None:
            clock.work(5 * MS)
            await door
            clock.work(3 * MS)

        async def second() -> None:
            clock.work(7 * MS)
            door.set_result(None)
            clock.work(2 * MS)
            await asyncio.sleep(0)
            clock.work(MS)

        begun = clock.ns
        tasks = [loop.create_task(first()), loop.create_task(second())]
        await asyncio.gather(*tasks)
        program.begun = begun  # type: ignore[attr-defined]

    told = run_recorded(loop_factory, FakeClock(), program)

    lives = lives_of(told)
    t = program.begun
    assert lives["first"] == [
        ("running", t, t + 5 * MS),
        ("waiting", t + 5 * MS, t + 12 * MS),
        ("ready", t + 12 * MS, t + 14 * MS),
        ("running", t + 14 * MS, t + 17 * MS),
    ]
    assert lives["second"] == [
        ("ready", t, t + 5 * MS),
        ("running", t + 5 * MS, t + 14 * MS),
        ("ready", t + 14 * MS, t + 17 * MS),
        ("running", t + 17 * MS, t + 18 * MS),
    ]


def test_three_blockers_wait_for_each_other(loop_factory):
    """Three steps of 10 ms make ready times of 0, 10 and 20 ms, exactly."""

    async def blocker(clock: FakeClock) -> None:
        clock.work(10 * MS)

    async def program(clock: FakeClock) -> None:
        await asyncio.gather(*(asyncio.create_task(blocker(clock)) for _ in range(3)))

    told = run_recorded(loop_factory, FakeClock(), program)

    births = zip(told.of(Kind.BORN), told.names(Kind.BORN), strict=True)
    blockers = [record.a for record, name in births if name.endswith(".blocker")]
    births = {record.a: record.t for record in told.of(Kind.BORN)}
    steps = {record.a: record.t for record in told.of(Kind.STEP_DONE)}
    assert [steps[no] - births[no] for no in blockers] == [0, 10 * MS, 20 * MS]


@pytest.mark.parametrize("seed", range(5))
def test_a_task_never_does_two_things_at_once(loop_factory, seed):
    """In any mixture of tasks, the intervals of each one tile its life."""
    dice = random.Random(seed)

    async def worker(clock: FakeClock, doors: list[asyncio.Event]) -> None:
        for _ in range(dice.randrange(1, 12)):
            clock.work(dice.randrange(5 * MS))
            choice = dice.randrange(4)
            if choice == 0:
                await asyncio.sleep(0)
            elif choice == 1:
                dice.choice(doors).set()
            elif choice == 2:
                door = dice.choice(doors)
                door.clear()
                asyncio.get_running_loop().call_soon(door.set)
                await door.wait()
            else:
                await asyncio.create_task(asyncio.sleep(0))

    async def program(clock: FakeClock) -> None:
        doors = [asyncio.Event() for _ in range(3)]
        tasks = [asyncio.create_task(worker(clock, doors)) for _ in range(8)]
        for task in tasks:
            await task

    told = run_recorded(loop_factory, FakeClock(), program)

    assert len(told.of(Kind.BORN)) >= 9
    for number in {record.a for record in told.of(Kind.BORN)}:
        (birth,) = (r for r in told.of(Kind.BORN) if r.a == number)
        steps = [r for r in told.of(*STEPS) if r.a == number]
        woken = [r.t for r in told.of(Kind.WAKE) if r.a == number]
        gave_way = [r.u for r in told.of(Kind.STEP_READY) if r.a == number]
        wakes = sorted([birth.t, *woken, *gave_way])
        # One wake for each step, never after it began, never before the last wake.
        assert len(wakes) == len(steps)
        for wake, step in zip(wakes, steps, strict=True):
            assert wake <= step.t <= step.u
        for before, after in itertools.pairwise(steps):
            assert before.u <= after.t
        assert [r.kind for r in steps[:-1]].count(Kind.STEP_DONE) == 0
        assert steps[-1].kind == Kind.STEP_DONE


def test_steps_of_a_loop_never_overlap(loop_factory):
    """One loop does one thing at a time: steps, callbacks and polls in a row."""

    async def child(clock: FakeClock) -> None:
        clock.work(MS)
        await asyncio.sleep(0)
        clock.work(MS)

    async def program(clock: FakeClock) -> None:
        asyncio.get_running_loop().call_soon(clock.work, MS)
        await asyncio.gather(*(child(clock) for _ in range(10)))

    told = run_recorded(loop_factory, FakeClock(), program)

    lasting = told.of(*STEPS, Kind.CALL, Kind.POLL)
    assert len(lasting) > 20
    for before, after in itertools.pairwise(lasting):
        assert before.t <= before.u <= after.t
