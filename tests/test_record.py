"""`loopscope record` and `open`: a program's loops in a file, and the same page of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from dashboard.server.recordings.opening import open_recording

PATIENCE_S = 60
POLL_S = 0.05
PROGRAM = """
import asyncio, sys, time

def hold(seconds):
    time.sleep(seconds)

async def work():
    await asyncio.sleep(0.05)
    return 1

async def main():
    await asyncio.gather(*(work() for _ in range(5)))
    print("ready", flush=True)
    hold(float(sys.argv[1]))

asyncio.run(main())
sys.exit(int(sys.argv[2]))
"""
SHOP = """
import asyncio
import sys
import uvicorn

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    await asyncio.sleep(0.001)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

if __name__ == "__main__":
    uvicorn.run(app, port=0, lifespan="off", loop=sys.argv[1])
"""


#: Loopscope, but each other look of it fails.
FAULTY = """
import itertools, sys
from dashboard.__main__ import main
from dashboard.server.session import Session

turn_page, looks = Session.turn_page, itertools.count()

def fail(*args):
    if next(looks) % 2:
        raise LookupError("ours")
    return turn_page(*args)

Session.turn_page = fail
sys.exit(main())
"""


@pytest.fixture
def folder(tmp_path):
    """Give a folder with programs that know nothing of us."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "nothing.py").write_text("print('no loop')")
    (tmp_path / "sitecustomize.py").write_text("SEEN = True")
    return tmp_path


@pytest.fixture
def command(folder):
    """Start the command in that folder; what still runs afterwards is ended."""
    started = []
    environ = {k: v for k, v in os.environ.items() if not k.startswith("LOOPSCOPE")}
    environ |= {"XDG_RUNTIME_DIR": str(folder)}
    environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parent.parent), str(folder)]
    )

    def command(*words, module="dashboard"):
        process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, words)],
            cwd=folder,
            env=environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    command.environ = environ
    yield command
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PATIENCE_S)


def wait_for(what, condition):
    """Wait until something is so, and return what it gave."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < ends, f"waited in vain for {what}"
        time.sleep(POLL_S)
    return found


def test_records_a_program(command, folder):
    """A plain program is recorded, stall, line and code, and its exit code is ours."""
    run = command(
        "record", "-o", "it.loopscope", "--", sys.executable, "program.py", "0.3", "7"
    )
    out, err = run.communicate(timeout=PATIENCE_S)
    opened = open_recording(folder / "it.loopscope")
    (stall,) = opened.session.stalls.kept
    source = opened.sources[stall.culprit.file, stall.culprit.line]

    assert (run.returncode, err) == (7, "")
    assert out.startswith("ready\nrecorded     it.loopscope  (")
    assert stall.culprit.function == "hold"
    assert source.code.startswith("def hold(seconds):")
    assert (folder / "it.loopscope").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_records_uvicorn(command, folder, loop):
    """An app that uvicorn serves is recorded with its requests, until Ctrl-C."""
    run = command("record", "-o", "it.loopscope", "--", sys.executable, "shop.py", loop)
    for line in run.stderr:
        if found := re.search(r"running on (http://\S+)", line):
            break
    for _ in range(3):
        with urllib.request.urlopen(found[1]) as answer:
            assert answer.status == 204
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=PATIENCE_S)
    session = open_recording(folder / "it.loopscope").session

    assert [request.status for request in session.requests.finished] == [204] * 3
    assert {x.identity.kind for x in session.loops.values()} == {loop}


def pid_of(folder, name):
    """Return the pid of the process that a ring below a folder names."""
    rings = list(folder.rglob("*.ring"))
    return int(rings[0].name.partition("-")[0]) if rings else 0


def test_killed_while_it_holds(command, folder):
    """Of a program that is killed in a step that step is there with its line, and has not
    ended, in the recording and in the ring; the recording could be opened before."""
    run = command(
        "record", "-o", "it.loopscope", "--", sys.executable, "program.py", "60", "0"
    )
    assert run.stdout.readline() == "ready\n"
    path = folder / "it.loopscope"

    def lines():
        try:
            kept = open_recording(path).session.stalls.kept
        except Exception:  # noqa: BLE001 - it has only just begun
            return []
        return [stall for stall in kept if stall.culprit is not None]

    # On a busy machine an earlier step may have been long, too.
    *_, growing = wait_for("a stall in the file that grows", lines)
    (ring,) = folder.rglob("*.ring")
    os.kill(pid_of(folder, "program"), signal.SIGKILL)
    left = folder / "left.ring"
    left.write_bytes(ring.read_bytes())
    run.communicate(timeout=PATIENCE_S)
    recorded = open_recording(path)
    stall = recorded.session.stalls.kept[-1]
    (ended,) = recorded.session.describe_loops(recorded.past.to_ns)
    opened = open_recording(left)
    unfinished = opened.session.stalls.kept[-1]
    (loop,) = opened.session.describe_loops(opened.past.to_ns)

    assert run.returncode == 128 + signal.SIGKILL
    for each in (growing, stall, unfinished):
        assert (each.culprit.function, each.duration_ns > 100e6) == ("hold", True)
        assert not each.over
    assert [x.unfinished for x in (growing, stall, unfinished)] == [False, True, True]
    assert (loop["state"], loop["culprit"]["function"]) == ("blocked", "hold")
    assert (ended["state"], ended["culprit"]["function"]) == ("ended", "hold")
    assert "is gone" in opened.session.notices[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["record", "--", "true"], "required: -o"),
        (["record", "-o", "x"], "say behind -- what to run"),
        (["record", "-o", "x", "--", "no-such-program"], "cannot be run (No such"),
        (["record", "-o", "shop.py", "--", "no-such-program"], "cannot be run (No"),
        (["record", "-o", "no/x", "--", "true"], "cannot be written (No such"),
        (["open", "nowhere"], "nowhere cannot be opened (No such file"),
        (["open", "shop.py"], "where a recording has b"),
        (["open", "x", "--", "y"], "take something after --"),
    ],
)
def test_says_what_is_wrong(command, folder, words, says):
    """What cannot be recorded or opened is told in a sentence, and nothing starts; no
    file is made or emptied for it."""
    run = command(*words)
    out, err = run.communicate(timeout=PATIENCE_S)

    assert run.returncode in (2, 3)
    assert says in err
    assert "Traceback" not in err
    assert out == ""
    assert not (folder / "x").exists()
    assert (folder / "shop.py").read_text() == SHOP


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no full device")
def test_full_disk(command):
    """A program whose recording finds no room runs to its own end, with its own code."""
    run = command(
        "record", "-o", "/dev/full", "--", sys.executable, "program.py", "0.3", "7"
    )
    out, err = run.communicate(timeout=PATIENCE_S)

    assert (run.returncode, out) == (7, "ready\n")
    assert err == (
        "loopscope: the recording ends early (No space left on device); "
        "the program is left alone\n"
    )


def test_in_place_of_last_weeks(command, folder):
    """A recording takes the place of what its file had."""
    (folder / "it.loopscope").write_bytes(b"x" * (1 << 20))
    run = command(
        "record", "-o", "it.loopscope", "--", sys.executable, "program.py", "0", "0"
    )
    run.communicate(timeout=PATIENCE_S)

    assert len(open_recording(folder / "it.loopscope").session.loops) == 1
    assert (folder / "it.loopscope").stat().st_size < 1 << 20


def test_our_fault(command, folder):
    """A look of ours that fails ends no program: it is told once, and it goes on."""
    (folder / "faulty.py").write_text(FAULTY)
    # So long that more than one look comes, on any machine.
    words = ["-o", "it.loopscope", "--", sys.executable, "program.py", "3", "7"]
    run = command("record", *words, module="faulty")
    _, err = run.communicate(timeout=PATIENCE_S)
    (loop,) = open_recording(folder / "it.loopscope").session.loops.values()

    assert run.returncode == 7
    assert err.count("LookupError: ours") == err.count("Traceback") == 1
    assert loop.ended


def test_no_loop(command, folder):
    """A program without a loop is told so, once, and leaves no file."""
    run = command("record", "-o", "x", "--", sys.executable, "nothing.py")
    out, err = run.communicate(timeout=PATIENCE_S)

    assert (run.returncode, err) == (
        0,
        "loopscope: it ran no event loop; nothing is recorded\n",
    )
    assert out == "no loop\n"
    assert not (folder / "x").exists()


def test_users_sitecustomize(command, folder):
    """A module of the user's that Python imports first is imported still."""
    (folder / "nothing.py").write_text(
        "import sys, sitecustomize; print(sitecustomize.SEEN, sys.path.count('.'))"
    )
    run = command("record", "-o", "x", "--", sys.executable, "nothing.py")

    assert run.communicate(timeout=PATIENCE_S)[0].startswith("True 0\n")


def test_import_order(command, folder):
    """A program imports from where it would without us, in the same order, though we
    are in its path, too."""
    program = "import json, sys; print(json.dumps(sys.path))"
    (folder / "nothing.py").write_text(program)
    words = [sys.executable, "nothing.py"]
    recorded = command("record", "-o", "x", "--", *words)
    out, _ = recorded.communicate(timeout=PATIENCE_S)
    alone = subprocess.run(
        words, cwd=folder, env=command.environ, stdout=subprocess.PIPE, check=True
    )

    assert json.loads(out.splitlines()[0]) == json.loads(alone.stdout)


def test_open_serves_it(command, folder):
    """`loopscope open` serves the page, the state, the code and the stream of a file,
    and reads no other file for it."""
    recorded = command(
        "record", "-o", "it.loopscope", "--", sys.executable, "program.py", "0.3", "0"
    )
    recorded.communicate(timeout=PATIENCE_S)
    (folder / "program.py").unlink()
    run = command("open", "it.loopscope", "--port", "0")
    url = run.stdout.readline().split()[-1]

    def get(path):
        with urllib.request.urlopen(url + path, timeout=PATIENCE_S) as answer:
            return answer.read().decode()

    state = json.loads(get("/api/state"))
    stall = json.loads(get(f"/api/stalls/{state['stalls'][0]['id']}"))
    place = urllib.parse.quote(f"program.py:{stall['culprit']['line']} in hold")
    with urllib.request.urlopen(f"{url}/events", timeout=PATIENCE_S) as events:
        data = (line for line in events if line.startswith(b"data: "))
        frames = (json.loads(line.removeprefix(b"data: ")) for line in data)
        told = next(frames)
        drawn = next(frame for frame in frames if frame["rows"])
        whole = next(frame for frame in frames if frame["diagnosis"])

    assert state["loops"][0]["title"] == "program.py"
    assert "time.sleep(seconds)" in stall["source"]["code"]
    assert (
        "time.sleep(seconds)" in json.loads(get(f"/api/source?place={place}"))["code"]
    )
    assert told["recording"]["name"] == "it.loopscope"
    assert told["t_ns"] == told["recording"]["from_ns"] < drawn["t_ns"]
    assert whole["t_ns"] == told["recording"]["to_ns"] == state["t_ns"]
    assert whole["stalls"] == state["stalls"]
    assert "data-recording" in get("/")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get("/api/recording")
