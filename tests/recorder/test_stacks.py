"""A stack is the step's own: from the innermost line to the loop's machinery."""

from __future__ import annotations

import asyncio
import json
import sys
import threading

import pytest

import dashboard
from dashboard.recorder import pauses, stacks
from dashboard.recorder.stacks import MAX_FRAMES, culprit, walk
from dashboard.recorder.watchdog import Watchdog
from dashboard.records import Cell, Kind


def run(loop_factory, program):
    """Run a coroutine on a recorded loop; return what it returned."""
    with (
        asyncio.Runner(loop_factory=loop_factory) as runner,
        dashboard.record(runner.get_loop()),
    ):
        return runner.run(program)


def here():
    """Return the stack from the caller's line on."""
    return walk(sys._getframe(1))


def test_ends_at_the_loop(loop_factory):
    """Who started the loop is not part of a step's stack."""

    async def handler():
        return here()

    async def main():
        return await handler()

    stack = run(loop_factory, main())

    assert [frame.function.rpartition(".")[2] for frame in stack] == ["handler", "main"]
    assert all(frame.is_users for frame in stack)


def test_callback(loop_factory):
    """Nor is it part of a callback's."""
    found = []

    async def main():
        done = asyncio.get_running_loop().create_future()

        def on_timer():
            found.extend(here())
            done.set_result(None)

        asyncio.get_running_loop().call_later(0.001, on_timer)
        await done

    run(loop_factory, main())

    assert [frame.function.rpartition(".")[2] for frame in found] == ["on_timer"]


def test_library_is_not_to_blame():
    """Inside a library, the user's line that called it is to blame."""
    found = []

    class Odd:
        pass

    def default(value):
        found.extend(here())
        return 1

    def report():
        return json.dumps(Odd(), default=default)

    report()
    inside = found[1:]
    line, above = culprit(inside)

    assert not inside[0].is_users
    assert line.function.endswith("report")
    assert above == next(i for i, frame in enumerate(inside) if frame.is_users) > 0


def test_recorder_is_not_to_blame(monkeypatch):
    """What we do while the collector runs is no part of the stack, and not to blame."""
    found = []
    monkeypatch.setattr(pauses, "_recorders", [None])
    monkeypatch.setattr(pauses, "_began_ns", 0)
    monkeypatch.setattr(pauses, "tell_pause", lambda *_: found.extend(here()))

    pauses._on_collection("stop", {"generation": 2})
    seen, caller, *_ = found

    assert seen.function.endswith("<lambda>")
    assert caller.function == "test_recorder_is_not_to_blame"


def test_nobody_to_blame():
    """Without a line of the user's the innermost is told; without any, none."""
    library = stacks.Frame("/lib/a.py", 3, "f", is_users=False)

    assert culprit([library]) == (library, 0)
    assert culprit([]) is None


def test_deep():
    """Of a recursion the inner end is kept."""

    def down(depth):
        return here() if depth == 0 else down(depth - 1)

    assert len(down(3 * MAX_FRAMES)) == MAX_FRAMES


def sampled(loop_factory, told, block, *, times=1):
    """Let a watchdog look at a step that `block` makes, from another thread."""

    async def main():
        with dashboard.record() as recording:
            await asyncio.sleep(0)
            recorder = recording.recorder
            # The one that is running would look whenever it likes.
            recording._watchdog.stop()
            dog = Watchdog(recorder, recording.loop)
            loop = asyncio.get_running_loop()
            done = loop.create_future()

            def look():
                for _ in range(times):
                    dog.beat(recorder.now_ns() + recorder.sample_ns)
                loop.call_soon_threadsafe(done.set_result, None)

            block(threading.Thread(target=look))
            await done

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    return told()


def test_frames_stand_before_their_sample(loop_factory, told):
    """The whole stack is in the ring, the user's own lines marked, innermost first."""

    def block(thread):
        thread.start()
        thread.join()

    records = sampled(loop_factory, told, block)
    kinds = [record.kind for record in records.of(Kind.FRAME, Kind.SAMPLE)]
    frames = [
        (records.strings[frame.a].split("\x1f")[2].rpartition(".")[2], frame.b)
        for frame in records.of(Kind.FRAME)
    ]
    (sample, *_) = records.of(Kind.SAMPLE)

    assert kinds.index(Kind.SAMPLE) == len(frames)
    assert frames[-2:] == [("block", 1), ("main", 1)]
    assert not any(is_users for _, is_users in frames[:-2])
    assert records.strings[sample.a].split("\x1f")[2].endswith("block")
    assert sample.b == frames.index(("block", 1))


def test_same_stack_is_told_once(loop_factory, told):
    """A step that does not move has its stack told once, and is counted each time."""

    def block(thread):
        thread.start()
        thread.join()

    records = sampled(loop_factory, told, block, times=5)

    assert len(records.of(Kind.SAMPLE)) >= 4
    assert len(records.of(Kind.FRAME)) <= 2 * 8


def test_threads_are_known(loop_factory, told):
    """The ring says which threads of the system run the loop and the watchdog."""
    cells = {}

    def program():
        async def main():
            with dashboard.record() as recording:
                ring = recording.recorder.ring.cells
                for _ in range(5000):
                    if ring[Cell.LOOP_THREAD]:
                        break
                    await asyncio.sleep(0.002)
                cells["loop"] = ring[Cell.LOOP_THREAD]
                cells["watchdog"] = ring[Cell.WATCHDOG_THREAD]
                cells["here"] = threading.get_native_id()

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())

    thread = threading.Thread(target=program)
    thread.start()
    thread.join(60)
    if "here" not in cells:
        pytest.fail("the loop in another thread did not end within 60 s")

    assert cells["loop"] == cells["here"]
    assert cells["watchdog"] not in (0, cells["loop"])
