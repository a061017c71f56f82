"""The command line answers at once, says what is wrong, and cleans up."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboard import __version__
from dashboard.commands.flags import read_flags

HEAVY = ("fastapi", "uvicorn", "starlette", "httpx", "jinja2", "asyncio", "ssl")


@pytest.fixture
def environ(tmp_path):
    """Give an environment in which rings go to a folder of the test's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LOOPSCOPE_")
    }
    return kept | {"XDG_RUNTIME_DIR": str(tmp_path)}


@pytest.fixture
def run(environ):
    """Run the command to its end."""

    def run(*flags, **more):
        return subprocess.run(
            [sys.executable, "-m", "dashboard", *flags],
            capture_output=True,
            text=True,
            timeout=30,
            env=environ | more,
        )

    return run


@pytest.fixture
def start(environ):
    """Start the command; give the process and the addresses that it prints."""
    started = []

    def start(*flags):
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard", "--port", "0", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )
        started.append(process)
        addresses = []
        for line in process.stdout:
            if line.startswith("stop"):
                break
            addresses += re.findall(r"http://[^\s']+", line)
        return process, *addresses

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def taken():
    """Give a port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def get(url):
    """Return the JSON at an address."""
    with urllib.request.urlopen(url, timeout=20) as response:
        return json.load(response)


def test_version(run):
    """`--version` prints the version and nothing else."""
    done = run("--version")

    assert (0, f"loopscope {__version__}\n", "") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )


def test_help(run):
    """`--help` names every flag and command."""
    text = run("--help").stdout

    for name in ("--host", "--port", "--demo-port", "--open", "--no-demo", "watch"):
        assert name in text


def test_help_is_light():
    """What `--help` imports is light, so that it answers at once."""
    code = (
        "import sys, dashboard.__main__; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "flags",
    [
        ["--nonsense"],
        ["nonsense"],
        ["--port"],
        ["--port", "x"],
        ["--port", "65536"],
        ["--demo-port", "-1"],
        ["watch", "--demo-port", "1"],
        ["--port", "1", "watch", "--port", "2"],
    ],
    ids=" ".join,
)
def test_usage(run, flags):
    """Nonsense is a usage error: exit code 2, no traceback."""
    done = run(*flags)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("usage: loopscope")


@pytest.mark.parametrize(
    "words",
    [
        ["run", "main:app", "--nonsense"],
        ["open", "a.loopscope", "--nonsense"],
        ["record", "-o", "a.loopscope", "--nonsense"],
        ["compare", "a", "b", "--nonsense"],
        ["watch", "--nonsense"],
        ["watch", "--", "--nonsense"],
    ],
    ids=" ".join,
)
def test_usage_of_a_command(words, capsys):
    """What a command does not know is answered with that command's own usage."""
    with pytest.raises(SystemExit, match="2"):
        read_flags(words)

    assert capsys.readouterr().err.startswith(f"usage: loopscope {words[0]} ")


def test_bad_variable(run):
    """A bad environment variable is one sentence and exit code 2."""
    done = run(LOOPSCOPE_PORT="x")

    assert done.returncode == 2
    assert (
        done.stderr
        == "loopscope: LOOPSCOPE_PORT: a port is a whole number from 0 to 65535, got 'x'\n"
    )


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_no_stories(run, by):
    """A file of stories that is not there is one sentence and exit code 2."""
    missing = "no/such.py"
    done = run("--stories", missing) if by == "flag" else run(LOOPSCOPE_STORIES=missing)

    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "loopscope: there is no file 'no/such.py' to read stories from\n"
    )


@pytest.mark.parametrize("command", [[], ["watch"]])
def test_taken_port(run, taken, command):
    """A taken port is one sentence with the flag to change, and exit code 3."""
    done = run(*command, "--port", str(taken))

    assert done.returncode == 3
    assert (
        f"loopscope: port {taken} on 127.0.0.1 is in use; choose another with --port\n"
        == done.stderr
    )


def test_taken_demo_port(run, taken):
    """The demo app's port is checked before anything starts."""
    done = run("--port", "0", "--demo-port", str(taken))

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith("is in use; choose another with --demo-port\n")


def test_same_port_twice(run):
    """Page and demo app cannot share a port, whether it is taken or not."""
    done = run("--port", "20123", "--demo-port", "20123")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "loopscope: --port and --demo-port are both 20123, "
        "but each needs one of its own\n"
    )


def test_no_exporter(environ):
    """Without the packages for `--otlp` one sentence says so, before anything starts."""
    program = (
        "import sys; sys.modules['opentelemetry.exporter'] = None; "
        "from dashboard.__main__ import main; "
        "sys.exit(main(['--port', '0', '--no-demo', '--otlp', 'http://localhost:4318']))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        env=environ,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "loopscope: to push metrics by OTLP, packages are missing; "
        "pip install 'loopscope[otlp]'\n"
    )


def test_open_to_others(start):
    """An address that others reach comes with a presenter's link of its own."""
    _, page, link = start("--no-demo", "--host", "0.0.0.0")

    assert link.startswith(f"{page}/?token=")
    assert connects("127.0.0.2", urlsplit(page).port)
    assert get(f"{page}/healthz") == {"status": "ok"}
    order = urllib.request.Request(f"{page}/api/trigger/fast", data=b"{}")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(order, timeout=10)
    with caught.value as answer:
        assert answer.status == 403


def test_token_is_new_with_each_run():
    """No two runs share a token, and none can be guessed."""
    tokens = {read_flags(["--host", "0.0.0.0"])[0].token for _ in range(20)}

    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 20


def test_token_is_printed_once(start):
    """The presenter's token stands in the link, and in nothing that is printed later."""
    process, _, link = start("--no-demo", "--host", "0.0.0.0")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(f"{link}x")
    with urllib.request.urlopen(link, timeout=20) as page:
        page.read()

    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")


@pytest.mark.parametrize("command", [[], ["watch"]], ids=["demo", "watch"])
def test_only_run_takes_more(run, command):
    """Flags of uvicorn without an app are a usage error."""
    done = run(*command, "--", "--reload")

    assert done.returncode == 2
    assert "only `loopscope run` and `record` take something after --" in done.stderr


def test_bad_host(run):
    """An address that this machine does not have is one sentence, exit code 3."""
    done = run("--host", "203.0.113.1", "--port", "0")

    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "choose another with --host" in done.stderr


def test_serves(start, wait_for_demo):
    """Both addresses are printed, with one to try, and answer."""
    _, page, demo, example = start("--demo-port", "0")
    wait_for_demo(demo)

    assert get(f"{page}/healthz") == {"status": "ok"}
    assert get(f"{demo}/healthz") == {"status": "ok"}
    assert f"{demo}/blocking?seconds=2" == example


def test_nobody_else_connects(start, wait_for_demo):
    """Without `--host` no other address of this machine leads to the page or the demo app."""
    _, page, demo, _ = start("--demo-port", "0")
    wait_for_demo(demo)
    ports = [urlsplit(url).port for url in (page, demo)]

    # On Linux all of 127.* is this machine, and so is 0.0.0.0 to who listens there.
    assert [connects("127.0.0.1", port) for port in ports] == [True, True]
    assert [connects("127.0.0.2", port) for port in ports] == [False, False]


def connects(host, port):
    """Say whether somebody listens there."""
    try:
        socket.create_connection((host, port), timeout=20).close()
    except OSError:
        return False
    return True


def test_no_demo(start):
    """Without the demo app only the page is there."""
    _, *addresses = start("--no-demo")

    assert len(addresses) == 1
    assert get(f"{addresses[0]}/healthz") == {"status": "ok"}


def test_open(start, environ, tmp_path):
    """`--open` opens the page, once it answers."""
    opened = tmp_path / "opened"
    os.mkfifo(opened)
    environ["BROWSER"] = f"sh -c 'echo %s > {opened}'"
    _, page = start("--no-demo", "--open")

    # Reading waits until the browser was called.
    assert opened.read_text() == f"{page}\n"


def test_watch(start):
    """`watch` takes flags before and after, and starts no demo app."""
    process, page = start("watch")

    assert get(f"{page}/healthz") == {"status": "ok"}
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGTERM], 0),
        ([signal.SIGINT, signal.SIGINT], 130),
    ],
    ids=["ctrl-c", "term", "ctrl-c-twice"],
)
def test_stop(start, tmp_path, signals, code, wait_for_demo):
    """With viewers, load and a block under way it ends without a word; nothing is left."""
    process, page, demo, _ = start("--demo-port", "0")
    wait_for_demo(demo)
    post(f"{page}/api/experiment", {"users": 5, "spawn_rate": 5, "seconds": 60})
    post(f"{page}/api/trigger/fast", {"count": 200})
    post(f"{page}/api/trigger/blocking", {"params": {"seconds": 10}})
    assert len(processes_in(tmp_path)) >= 3
    viewers = [urllib.request.urlopen(f"{page}/events", timeout=20) for _ in range(5)]
    for viewer in viewers:
        viewer.readline()

    for number in signals:
        process.send_signal(number)
    _, errors = process.communicate(timeout=40)
    for viewer in viewers:
        viewer.close()

    assert (code, "") == (process.returncode, errors)
    assert list(tmp_path.rglob("stage-*")) == []
    assert processes_in(tmp_path) == []
    for url in (page, demo):
        with pytest.raises(urllib.error.URLError):
            get(url)


def post(url, order):
    """Order something, which must be taken once the demo app is up."""
    request = urllib.request.Request(url, json.dumps(order).encode())
    pause = threading.Event()
    for _ in range(1000):
        try:
            urllib.request.urlopen(request, timeout=20).close()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 503:
                raise
            pause.wait(0.02)
        else:
            return
    pytest.fail("the demo app was not up within 20 s")


def processes_in(folder):
    """Return the processes that were started with their rings in a folder."""
    mark = f"XDG_RUNTIME_DIR={folder}".encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found


@pytest.fixture
def wait_for_demo():
    """Wait until the demo app listens; fail when it never does."""

    def wait(url):
        host, port = url.removeprefix("http://").split(":")
        pause = threading.Event()
        for _ in range(1000):
            try:
                socket.create_connection((host, int(port)), timeout=5).close()
            except OSError:
                pause.wait(0.02)
            else:
                return
        pytest.fail("the demo app did not listen within 20 s")

    return wait
