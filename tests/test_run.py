"""`loopscope run`: any app is recorded unchanged, with all its workers, and ends with us."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

APP = """
import asyncio, os, time
from fastapi import FastAPI

app = FastAPI(title="Shop")
number = 42

@app.get("/")
async def where():
    await asyncio.sleep(0.001)
    loop = asyncio.get_running_loop()
    names = sorted(task.get_coro().__qualname__ for task in asyncio.all_tasks())
    return {"pid": os.getpid(), "loop": type(loop).__module__, "tasks": names}

@app.get("/hold")
async def hold():
    time.sleep(0.3)
    return {}

def make():
    return app
"""
POLLS, POLL_S = 800, 0.05


@pytest.fixture
def shop(tmp_path):
    """Give a folder with an app that knows nothing of us, and one that cannot be."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.py").write_text(APP)
    (folder / "broken.py").write_text("import nowhere_at_all\napp = None\n")
    return folder


@pytest.fixture
def command(shop, tmp_path):
    """Give what a process of the command needs: words, folder, environment."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LOOPSCOPE_")
    }
    environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
    # Not among those of other programs of this user, which `run` would show as well.
    environ["LOOPSCOPE_DIR"] = str(tmp_path / "rings")
    words = [sys.executable, "-m", "dashboard", "run"]

    def make(*flags):
        ports = [flag for flag in ("--port", "--app-port") if flag not in flags]
        everywhere = [word for flag in ports for word in (flag, "0")]
        return {
            "args": [*words, *flags[:1], *everywhere, *flags[1:]],
            "cwd": shop,
            "env": environ,
            "text": True,
            "stderr": subprocess.PIPE,
            "stdout": subprocess.PIPE,
        }

    return make


@pytest.fixture
def start(command, tmp_path):
    """Start an app and wait until it answers: (process, page's address, app's)."""
    started = []
    log = tmp_path / "stderr"

    def start(*flags):
        with log.open("w") as stderr:
            process = subprocess.Popen(**command(*flags) | {"stderr": stderr})
        started.append(process)
        urls = []
        for line in process.stdout:
            if line.startswith("stop"):
                break
            urls += re.findall(r"http://[^\s']+", line)
        page, app = urls
        until(lambda: ask(app) or process.poll(), "an answer of the app")
        assert process.poll() is None, log.read_text()
        return process, page, app

    yield start
    for process in started:
        with process:
            process.kill()


def ask(url):
    """Return a JSON answer, or None while there is none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


def until(condition, what):
    """Wait for something that other processes do, and return it."""
    pause = threading.Event()
    for _ in range(POLLS):
        found = condition()
        if found:
            return found
        pause.wait(POLL_S)
    return pytest.fail(f"waited {POLLS * POLL_S:g} s for {what}, in vain")


def loops(page, state=None):
    """Return the page's loops in that state."""
    found = ask(f"{page}/api/state")["loops"]
    return [loop for loop in found if state is None or loop["state"] == state]


def living(page, count):
    """Wait until the page shows that many loops alive, and return them."""

    def enough():
        alive = [loop for loop in loops(page) if loop["state"] != "ended"]
        return alive if len(alive) == count else None

    return until(enough, f"{count} living loops")


def is_running(pid):
    """Tell whether the process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_unchanged_app_is_recorded(start, kind):
    """An app without a line of ours has its requests on the page, on either loop."""
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    _, page, app = start("shop:app", "--loop", kind)
    answer = ask(app)
    (loop,) = living(page, 1)

    def request():
        return [each for each in ask(f"{page}/api/state")["requests"] if each["status"]]

    (first, *_) = until(request, "a finished request")
    assert (loop["pid"], loop["title"], loop["kind"]) == (
        answer["pid"],
        "shop:app",
        kind,
    )
    assert (first["loop"], first["route"]) == (loop["id"], "/")
    assert loop["note"] == ""


def test_no_task_of_ours(start):
    """The app sees the tasks of its server and its own, and none besides."""
    _, _, app = start("shop:app", "--loop", "asyncio")
    names = ask(app)["tasks"]

    ours = [name for name in names if "dashboard" in name or "record" in name.lower()]
    assert ours == []
    # uvicorn's server, its lifespan, and the request itself.
    assert len(names) <= 3


def test_stalls_on_the_console(start, tmp_path):
    """With `--log-stalls` a stall that is over is one line, with program and culprit."""
    _, page, app = start("shop:app", "--log-stalls")
    living(page, 1)
    ask(f"{app}/hold")

    line = r"shop:app \(pid \d+\): shop\.py:\d+ in hold held the loop for [34]\d\d ms "
    log = tmp_path / "stderr"
    until(lambda: re.search(line, log.read_text()), "a line about the stall")
    assert log.read_text().count("in hold held the loop") == 1


def test_console_is_silent_otherwise(start, tmp_path):
    """Without it the page alone tells of stalls."""
    _, page, app = start("shop:app")
    living(page, 1)
    # Of four in a row the first would have been told by the end of the last.
    for _ in range(4):
        ask(f"{app}/hold")

    def all_over():
        stalls = ask(f"{page}/api/state")["stalls"]
        held = [each for each in stalls if each["label"] == "GET /hold"]
        return len([stall for stall in held if stall["over"]]) >= 4

    until(all_over, "four stalls that are over")
    assert "held the loop" not in (tmp_path / "stderr").read_text()


def test_app_factory(start):
    """A function that makes the app is called, if that is said."""
    _, page, _ = start("shop:make", "--factory")

    assert [loop["title"] for loop in living(page, 1)] == ["shop:make"]


def test_flags_of_uvicorn(start):
    """What stands after `--` is uvicorn's."""
    _, _, app = start("shop:app", "--", "--root-path", "/below", "--no-server-header")

    with urllib.request.urlopen(app, timeout=10) as answer:
        assert "server" not in answer.headers


def test_workers(start):
    """Each worker is a loop with a place of its own; a new one takes the place of a dead."""
    _, page, _ = start("shop:app", "--workers", "2")
    first, second = living(page, 2)

    os.kill(first["pid"], signal.SIGKILL)

    def heir():
        return [loop for loop in loops(page) if loop["replaces"] == first["id"]]

    (found,) = until(heir, "a new worker in the place of the killed")
    assert {first["worker"], second["worker"]} == {1, 2}
    assert found["worker"] == first["worker"]
    assert found["pid"] not in (first["pid"], second["pid"])
    assert [loop["id"] for loop in loops(page, "ended")] == [first["id"]]


def test_reload(start, shop):
    """After a change of the code the new process continues where the old one ended."""
    _, page, _ = start("shop:app", "--reload")
    (before,) = living(page, 1)

    (shop / "shop.py").write_text(APP + "\nmore = 1\n")

    def heir():
        return [loop for loop in loops(page) if loop["replaces"] == before["id"]]

    (found,) = until(heir, "the reloaded app")
    assert (found["worker"], found["title"]) == (1, "shop:app")
    assert found["pid"] != before["pid"]


@pytest.mark.parametrize(
    ("flags", "number", "code"),
    [
        ([], signal.SIGINT, 130),
        ([], signal.SIGTERM, 0),
        (["--workers", "2"], signal.SIGINT, 130),
        (["--reload"], signal.SIGINT, 130),
    ],
    ids=["ctrl-c", "term", "workers", "reload"],
)
def test_stop(start, tmp_path, flags, number, code):
    """Ctrl-C ends the app and all its workers; no process, port or file is left."""
    process, page, app = start("shop:app", *flags)
    pids = [loop["pid"] for loop in living(page, 2 if "2" in flags else 1)]

    process.send_signal(number)

    assert process.wait(20) == code
    assert not [pid for pid in pids if is_running(pid)]
    assert not list(tmp_path.rglob("*.ring"))
    for url in (page, app):
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(url, timeout=5)


@pytest.mark.parametrize("flags", [[], ["--workers", "2"]], ids=" ".join)
def test_killed(start, flags):
    """A dashboard that is killed leaves no worker of the app behind."""
    process, page, _ = start("shop:app", *flags)
    pids = [loop["pid"] for loop in living(page, 2 if "2" in flags else 1)]

    process.kill()
    process.wait(20)

    until(
        lambda: not [pid for pid in pids if is_running(pid)], "the end of all workers"
    )


def test_app_that_ends(start):
    """When the app is killed, the page stays and says so."""
    process, page, _ = start("shop:app")
    (loop,) = living(page, 1)

    os.kill(loop["pid"], signal.SIGKILL)

    until(lambda: loops(page, "ended"), "the loop's end on the page")
    # Between lines of the app's own.
    said = next(line for line in process.stdout if line.startswith("loopscope"))
    assert "it has ended (killed by signal 9)" in said
    assert process.poll() is None


@pytest.mark.parametrize(
    ("target", "sentence", "flags"),
    [
        ("nowhere:app", "there is no module 'nowhere' to be found", []),
        ("shop.web:app", "there is no module 'shop.web' to be found", []),
        ("shop:nothing", "module 'shop' has no 'nothing'", []),
        ("shop:nothing", "module 'shop' has no 'nothing'", ["--workers", "2"]),
        ("shop:number", "shop:number is of type 'int', not an ASGI app", []),
    ],
)
def test_no_such_app(command, target, sentence, flags):
    """An app that is not there is one sentence and exit code 2, with workers as well."""
    done = subprocess.run(**command(target, *flags), timeout=40, check=False)

    lines = [line for line in done.stderr.splitlines() if "INFO" not in line]
    assert done.returncode == 2
    assert len(lines) == 1
    assert lines[0].startswith(f"loopscope: {sentence}")


def test_misspelt_module(command):
    """A module that is not there is told before any address is."""
    done = subprocess.run(**command("nowhere.web:app"), timeout=40, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("loopscope: there is no module 'nowhere' to be found")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("target", ["shop", "shop:", ":app", "shop.py:app:x", "a b:c"])
def test_no_name(command, target):
    """What does not name an app is told how one is named."""
    done = subprocess.run(**command(target), timeout=40, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "an app is named MODULE:APP, such as main:app" in done.stderr


def test_app_with_an_error(command):
    """An error in the app's own module is shown from the app's first line on."""
    done = subprocess.run(**command("broken:app"), timeout=40, check=False)

    first, where, *_ = done.stderr.splitlines()
    assert done.returncode == 3
    assert first == "Traceback (most recent call last):"
    assert "broken.py" in where
    assert done.stderr.splitlines()[-1] == (
        "loopscope: broken:app could not be made; its error stands above"
    )


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--port", "0", "--port", "0"], "argument --port: given twice; give it once"),
        (["--loop=auto"] * 2, "argument --loop: given twice; give it once"),
        (["--", "--port", "9"], "--port after -- is what --app-port before it says"),
        (["--", "--loop=x"], "--loop after -- is what --loop before it says"),
    ],
)
def test_said_twice(command, flags, sentence):
    """What is said twice is refused, not decided by who comes last."""
    done = subprocess.run(**command("shop:app", *flags), timeout=40, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"error: {sentence}\n")


def test_equal_ports(command):
    """One port for both is a sentence before anything starts."""
    flags = ["--port", "20123", "--app-port", "20123"]
    done = subprocess.run(**command("shop:app", *flags), timeout=40, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "loopscope: --port and --app-port are both 20123, but each needs one of its own\n"
    )


def test_taken_port(command):
    """A taken port of the app names the flag to change."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = subprocess.run(
            **command("shop:app", "--app-port", port), timeout=40, check=False
        )

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith("is in use; choose another with --app-port\n")
