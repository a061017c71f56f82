"""Damage recordings and rings in every way, and open them, for some minutes.

    python tests/benchmarks/fuzz_recording.py --minutes 10 [--seed 1]

Whatever a file holds, opening it must end, with a session that can be shown or one
sentence. Takes a real recording and a real ring apart at random (bytes, numbers, whole
pieces, behind check sums, too), and makes up tapes as tests/server/test_recording_fuzz.py
does. What breaks is kept as a file, with its traceback, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import io
import os
import random
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.errors import RecordingError
from dashboard.recorder.attach import record
from dashboard.server.reading.folders import rings_in
from dashboard.server.reading.read import Follower
from dashboard.server.recordings import recording
from dashboard.server.recordings.keeper import FileTape, head_of
from dashboard.server.recordings.opening import Opened, begin_recording
from dashboard.server.session import Session
from dashboard.server.streaming import wire

if TYPE_CHECKING:
    from types import ModuleType

TOLD_TESTS = Path(__file__).parent.parent / "server" / "test_recording_fuzz.py"
#: Made up tapes of each kind between two rounds of damage, and files in a round.
MADE_UP = 40
ROUND = 400
#: More of a processor's time than any small file may take.
LONG_S = 30.0
MOST_NS = 100 * 86_400 * 1_000_000_000
EXTREMES = (0, 1, -1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, -(2**63))


async def _work() -> None:
    lock = asyncio.Lock()

    async def locks() -> None:
        for _ in range(20):
            async with lock:
                await asyncio.sleep(0.001)

    await asyncio.gather(*(locks() for _ in range(4)), asyncio.to_thread(len, ""))
    time.sleep(0.15)  # noqa: ASYNC251 - a stall, to be told
    await asyncio.sleep(0.01)


def make(folder: Path) -> tuple[bytes, bytes]:
    """Return a real recording and the ring that it was made from."""
    os.environ["LOOPSCOPE_DIR"] = str(folder)
    session = Session(origin_ns=time.monotonic_ns())
    file = io.BytesIO()
    file.name = "memory"
    tape = FileTape(file, head_of(session))
    session.tape = tape.tape
    follower = Follower(rings_in(folder), session, show_ended=True)
    with asyncio.Runner() as runner, record(runner.get_loop(), title="fuzz"):
        runner.run(_work())
        (path,) = folder.glob("*.ring")
        ring = path.read_bytes()
        while follower.poll():
            pass
        now_ns = time.monotonic_ns()
        session.look(now_ns, {})
        tape.draw(now_ns, session.turn_page(now_ns))
    tape.flush()
    follower.close()
    return file.getvalue(), ring


def damage(chance: random.Random, data: bytes, *, within: int) -> bytes:
    """Return the bytes with one to eight things wrong with them, before `within`."""
    spoilt = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        end = min(within, len(spoilt))
        at = chance.randrange(max(end, 1))
        how = chance.randrange(6)
        if how == 0:
            spoilt[at : at + 1] = bytes([chance.randrange(256)])
        elif how == 1:
            extreme = chance.choice(EXTREMES) + chance.randint(-2, 2)
            piece = (extreme & (2**64 - 1)).to_bytes(8, "little")
            at -= at % 4
            spoilt[at : at + len(piece)] = piece
        elif how == 2:
            spoilt[at : at + 16] = chance.randbytes(chance.randint(0, 32))
        elif how == 3 and chance.random() < 0.2:
            del spoilt[at:]
        elif how == 4:
            # Behind this and the like: what stood elsewhere, a record or a chunk.
            begin = chance.randrange(max(end, 1))
            piece = bytes(spoilt[begin : begin + chance.choice((8, 32, 64, 500))])
            spoilt[at : at + len(piece)] = piece
        else:
            spoilt[at : at + 1] = (
                bytes([spoilt[at] ^ 1 << chance.randrange(8)])
                if (at < len(spoilt))
                else b""
            )
    return bytes(spoilt)


def damage_inside(chance: random.Random, data: bytes) -> bytes:
    """Return a recording with a chunk that is wrong inside, its check sum being right."""
    at, pieces = recording.HEADER.size, [data[: recording.HEADER.size]]
    while at < len(data):
        magic, size, _, _, first, last = recording.CHUNK.unpack_from(data, at)
        body = data[at + recording.CHUNK.size : at + recording.CHUNK.size + size]
        raw = damage(chance, zlib.decompress(body), within=1 << 30)
        packed = zlib.compress(raw)
        head = (magic, len(packed), len(raw), zlib.crc32(packed), first, last)
        pieces.append(recording.CHUNK.pack(*head) + packed)
        at += recording.CHUNK.size + size
    return b"".join(pieces)


def show(opened: Opened) -> None:
    """Tell all of it, as a page would be told."""
    if opened.pictures is not None and opened.rest is not None:
        with suppress(RecordingError):
            for drawn in opened.pictures:
                wire.encode(wire.describe_frame(opened.session, 1, 1, [], drawn))
        for _ in opened.rest:
            pass
    session, to_ns = opened.session, opened.past.to_ns
    assert to_ns - opened.past.from_ns < MOST_NS, "it would draw centuries"
    wire.encode(wire.describe_state(session, to_ns))
    wire.encode(wire.describe_snapshot(session, to_ns, 1, []))
    for stall in session.stalls.kept:
        wire.encode(stall.describe())


def attempt(path: Path) -> str:
    """Open a file; return `opened`, or `refused` with a sentence.

    Raises:
        AssertionError: the sentence is none, or it took too long.
        Exception: whatever else must not happen.
    """
    began_s = time.process_time()
    try:
        show(begin_recording(path))
        told = "opened"
    except RecordingError as error:
        said = str(error)
        assert said, "no sentence"
        assert "\n" not in said, f"several lines: {said!r}"
        assert len(said) < 1000, f"{len(said)} characters"
        told = "refused"
    took_s = time.process_time() - began_s
    assert took_s < LONG_S, f"{took_s:.0f} s of a processor"
    return told


def _told_tests() -> ModuleType:
    os.environ["LOOPSCOPE_FUZZ"] = str(MADE_UP)
    spec = importlib.util.spec_from_file_location("told_tests", TOLD_TESTS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    """Go on until the time is over; print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    made_up = _told_tests()
    counts: Counter[tuple[str, str]] = Counter()
    bad = 0
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        whole, ring = make(Path(folder))
        path = Path(folder) / "it"
        ways = {
            "recording, its bytes": lambda: damage(chance, whole, within=1 << 30),
            "recording, inside": lambda: damage_inside(chance, whole),
            "ring, its header": lambda: damage(chance, ring, within=5_000),
            "ring, all of it": lambda: damage(chance, ring, within=400_000),
        }
        ends_s = time.monotonic() + 60 * options.minutes
        while time.monotonic() < ends_s:
            for test in (
                made_up.test_any_tape,
                made_up.test_any_damage,
                made_up.test_any_picture,
            ):
                test()
                counts["made up", "opened or refused"] += MADE_UP
            for _ in range(ROUND):
                if time.monotonic() > ends_s:
                    break
                way = chance.choice(list(ways))
                path.write_bytes(ways[way]())
                try:
                    counts[way, attempt(path)] += 1
                except Exception:  # noqa: BLE001 - that is what is looked for
                    bad += 1
                    kept = Path(f"fuzz-{options.seed}-{bad}.bin")
                    kept.write_bytes(path.read_bytes())
                    print(f"{way}: {kept}", file=sys.stderr)
                    traceback.print_exc()
    print("| what | how it ended | times |\n| --- | --- | --- |")
    for (way, how), times in sorted(counts.items()):
        print(f"| {way} | {how} | {times:,} |")
    print(f"| all | broke | {bad:,} |")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
