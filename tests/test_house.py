"""The tests keep the house style: each says what it promises, and none sleeps."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("test_*.py"))
#: Longer than this is waiting for something that nobody named.
SLEEP_S = 0.05
#: Programs under test do sleep: that is what is recorded there.
SLEEPERS = ("recorder", "demo", "benchmarks", "browser")


def named(path):
    """Return a file's name as a test id."""
    return path.relative_to(TESTS).as_posix()


def find_tests(path):
    """Return every test function of a file."""
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_test_says_what_it_promises(path):
    """Every test has a docstring that is a sentence, and no two share a name."""
    tests = find_tests(path)
    silent = [
        test.name
        for test in tests
        if not (ast.get_docstring(test) or "").endswith((".", ".)"))
    ]
    names = [test.name for test in tests]

    assert silent == []
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_file_says_what_it_is_about(path):
    """Every test file begins with a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=named)
def test_no_real_sleeps(path):
    """No test sleeps for a time of its own choosing."""
    if path.relative_to(TESTS).parts[0] in SLEEPERS:
        return
    sleeps = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and is_sleep(node)
    ]

    assert sleeps == []


PROMISES = [
    line
    for line in (TESTS.parent / "SECURITY.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| ---")
]


def test_every_promise_names_its_tests():
    """Each promise of SECURITY.md has a test that keeps it, and that test is there."""
    headings = [line for line in PROMISES if line.endswith("| kept by |")]
    missing = []
    for line in PROMISES:
        if line in headings:
            continue
        names = re.findall(r"`(tests/[^`]+)`", line.rsplit("|", 2)[1])
        missing += [] if names else [line]
        for name in names:
            path, _, test = name.partition("::")
            file = TESTS.parent / path
            known = {each.name for each in find_tests(file)} if test else set()
            if not file.is_file() or (test and test not in known):
                missing.append(name)

    assert len(PROMISES) > 30
    assert missing == []


#: Where the wall clock is asked: how old a file is, what time it was for people, and
#: what the demo app's own handler measures. Nothing that is drawn comes from it.
WALL_CLOCK = {
    "dashboard/demo/articles.py",  # as the articles wrote it
    "dashboard/ring/folder.py",
    "dashboard/ring/writer.py",
    "dashboard/server/recordings/flight.py",
    "dashboard/server/recordings/keeper.py",
    "dashboard/server/exports/otlp.py",
    "dashboard/server/reading/read.py",
    "dashboard/server/routes/recording_routes.py",  # names of saved files
    "dashboard/server/streaming/wire.py",
    "loadgen/environment.py",
}


def test_wall_clock():
    """Lengths and moments come from the monotonic clock, which nobody can set."""
    root = TESTS.parent
    asked = {
        path.relative_to(root).as_posix()
        for folder in ("dashboard", "loadgen")
        for path in (root / folder).rglob("*.py")
        if re.search(
            r"\btime\.(time|time_ns|localtime|gmtime|strftime)\(|"
            r"\bdatetime\.(now|utcnow|today)\(|from time import .*\btime",
            path.read_text(),
        )
    }

    assert asked == WALL_CLOCK


def is_sleep(call):
    """Say whether a call is `sleep` with a literal time that someone would notice."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    name = call.func.id if isinstance(call.func, ast.Name) else name
    if name != "sleep" or not call.args:
        return False
    seconds = call.args[0]
    return (
        isinstance(seconds, ast.Constant)
        and isinstance(seconds.value, int | float)
        and seconds.value >= SLEEP_S
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("time.sleep(1)", True),
        ("sleep(0.05)", True),
        ("await asyncio.sleep(0)", False),
        ("await asyncio.sleep(POLL_S)", False),
        ("sleep(0.01)", False),
    ],
)
def test_the_rule_itself(code, expected):
    """The rule about sleeping finds what it is about."""
    calls = [
        node
        for node in ast.walk(ast.parse(f"async def f():\n  {code}"))
        if isinstance(node, ast.Call)
    ]

    assert [is_sleep(call) for call in calls] == [expected]
