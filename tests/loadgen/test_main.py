"""The command line: files, exit codes, one sentence for what makes no sense."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import loadgen
from loadgen import __main__ as module

ROOT = Path(loadgen.__file__).parents[1]
SHORT = ("-u", "2", "-r", "100", "-t", "1", "--warm-up", "0", "-q")


def call(*flags, patience_s=50, **more):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "loadgen", *map(str, flags)],
        capture_output=True,
        text=True,
        timeout=patience_s,
        cwd=ROOT,
        **more,
    )


def test_files(server, tmp_path):
    """One run writes JSON, CSV and an HTML file that needs nothing else."""
    paths = {kind: tmp_path / f"report.{kind}" for kind in ("json", "csv", "html")}
    flags = [f"--{kind}={path}" for kind, path in paths.items()]
    done = call("run", f"{server.url}/<b>&'\"", *SHORT, *flags)

    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(paths["json"].read_text())
    (top,) = report["points"][-1:]
    wanted = {"users", "rps", "p50_ms", "p95_ms", "p99_ms", "failures"}
    assert wanted | {"generator_busy"} <= set(top)
    assert report["totals"]["answers"] > 10
    assert "httpx" in report["client"]
    assert report["environment"]["cores"] >= 1
    assert report["model"] == "closed"
    rows = list(csv.DictReader(io.StringIO(paths["csv"].read_text())))
    assert [float(row["rps"]) for row in rows] == [
        point["rps"] for point in report["points"]
    ]
    html = paths["html"].read_text()
    assert not re.search(
        r"(?:src|href)=|@import|url\(|<script|https?://(?!www\.w3\.org|127)", html
    )
    svg = html[html.index("<svg") : html.index("</svg>") + 6]
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "<b>&'" not in html
    assert "Little's law" in done.stdout
    assert "closed model" in done.stdout


def test_json_on_stdout(server):
    """A dash writes to stdout, and nothing else goes there."""
    done = call("run", server.url, *SHORT, "--json", "-")

    assert json.loads(done.stdout)["totals"]["failures"] == 0


def test_json_lines(server):
    """For programs each line is a JSON object: progress, then the report."""
    done = call(
        "compare",
        f"{server.url}/a",
        f"{server.url}/b",
        *SHORT,
        "--json-lines",
        "--repeat",
        1,
    )

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines[:-1]] == ["progress"] * (len(lines) - 1)
    assert lines[-1]["event"] == "report"
    assert [v["name"] for v in lines[-1]["report"]["variants"]] == ["/a", "/b"]
    assert {"starting", "loading", "over"} <= {line["phase"] for line in lines[:-1]}
    assert all(line["variants"][0]["name"] == "/a" for line in lines[:-1])


def test_thresholds(server):
    """A condition that does not hold makes the exit code 99, and is named."""
    good = call("run", server.url, *SHORT, "--fail", "p95<10s", "--fail", "failures<1%")
    bad = call("run", server.url, *SHORT, "--fail", "rps>1000000")

    assert (good.returncode, bad.returncode) == (0, 99)
    assert "holds: p95<10s" in good.stdout
    assert "FAILED: rps>1000000, found" in bad.stdout


def test_nobody_there(tmp_path):
    """Where nobody listens, the report says so, and a condition can fail on it."""
    done = call("run", "http://127.0.0.1:1/", *SHORT, "--fail", "failures<1%")

    assert done.returncode == 99
    assert "no request was answered" in done.stdout
    assert "connection refused" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt(server, number):
    """Ctrl-C gives the report so far and exit code 130, without a traceback."""
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "loadgen",
            "run",
            server.url,
            "-t",
            "1h",
            "--json-lines",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As in a terminal: the generator processes hear the signal, too.
        start_new_session=True,
    ) as process:
        for line in process.stdout:
            if json.loads(line)["variants"][0]["points"]:
                break
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)

    report = json.loads(rest.splitlines()[-1])["report"]
    assert (process.returncode, errors) == (130, "")
    assert report["phase"] == "stopped"
    assert report["totals"]["answers"] > 0


def test_open_model(server):
    """With a rate the model is open, says so, and keeps the rate."""
    done = call("run", server.url, *SHORT, "--rate", 50, "--json", "-", "-t", 2)

    report = json.loads(done.stdout)
    assert report["model"] == "open"
    assert 80 <= report["totals"]["answers"] <= 101


def test_mix(server):
    """Several addresses are asked for by weight, and each is told apart."""
    done = call(
        "run",
        f"{server.url}/a",
        f"{server.url}/b",
        *SHORT,
        "--mix",
        "9,1",
        "--json",
        "-",
    )

    one, two = json.loads(done.stdout)["totals"]["targets"]
    assert one["answers"] > 3 * two["answers"] > 0


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["run"], "URL"),
        (["run", "localhost:80"], "an address looks like"),
        (["run", "http://example.com"], "is not this machine; add --allow-remote"),
        (["run", "http://localhost", "-u", "many"], "invalid int value: 'many'"),
        (["run", "http://localhost", "-u", "-5"], "--users must be from 1 to"),
        (["run", "http://localhost", "-r", "nan"], "--spawn-rate must be from"),
        (["run", "http://localhost", "-t", "soon"], "a time looks like"),
        (["run", "http://localhost", "--mix", "1,2"], "--mix needs a weight for each"),
        (["run", "http://localhost", "--mix", "x"], "weights look like"),
        (["run", "http://localhost", "--rate", "x"], "--rate looks like"),
        (["run", "http://localhost", "--fail", "x"], "--fail takes a condition"),
        (["run", "http://localhost", "--json", "/no/x.json"], "there is no folder for"),
        (["run", "http://localhost", "--client", "curl"], "invalid choice: 'curl'"),
        (["compare", "http://localhost", "http://localhost"], "different names"),
        (
            ["compare", "http://localhost", "--colours", "9"],
            "each from 0 to 4, got '9'",
        ),
        (["compare", "http://localhost", "--colours", "1,2"], "as many colours, got 2"),
        (["seeds", "--variants", "write_fast"], "there is no variant 'write_fast'"),
        (["seeds", "--target", "http://example.com"], "is not this machine"),
    ],
)
def test_nonsense(capsys, flags, sentence):
    """What makes no sense is one sentence and exit code 2, before anything starts."""
    assert module.main(flags) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("loadgen: ")
    assert said.err.count("\n") == 1
    assert sentence in said.err


def test_help(capsys):
    """Help shows Locust's flags and the exit codes."""
    with pytest.raises(SystemExit) as ended:
        module.main(["run", "--help"])

    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(flag in said for flag in ("--users", "--spawn-rate", "--run-time"))


def test_seeds_needs_the_demo_app(server, capsys):
    """An address that is not the demo app is told before any load is sent."""
    assert module.main(["seeds", "--target", server.url]) == 3

    assert "is not the demo app" in capsys.readouterr().err
    assert server.requests == 1


@pytest.mark.timeout(180)
def test_seeds():
    """The article's experiment starts the demo app, and stands beside its numbers."""
    done = call(
        *("seeds", "--variants", "write,write_bad", "--num-chars", "1000"),
        *(*SHORT, "--timeout", "20s", "--json", "-"),
        patience_s=150,
    )

    report = json.loads(done.stdout)
    assert [each["published_rps"] for each in report["variants"]] == [550, 205]
    for variant in report["variants"]:
        hello, write = variant["totals"]["targets"]
        assert hello["answers"] > 0
        assert write["answers"] > 0
        assert write["url"].endswith("?num_chars=1000&flush=1")
