"""What to write instead of the call that held the loop, for that very call."""

from __future__ import annotations

import ast
import textwrap

import pytest

from dashboard.server.diagnosis.parse import MAX_TEXT
from dashboard.server.diagnosis.remedies import find_remedy


def remedy(code: str, *lines: int):
    """Return the remedy for a stack of lines in one file, the innermost first."""
    text = textwrap.dedent(code).strip("\n").splitlines()
    return find_remedy([(text, line) for line in lines])


@pytest.mark.parametrize(
    ("line", "kind", "after"),
    [
        ("time.sleep(seconds)", "sleep", "await asyncio.sleep(seconds)"),
        (
            "answer = requests.get(url, timeout=3)",
            "HTTP client",
            "answer = await client.get(url, timeout=3)",
        ),
        (
            "rows = cursor.execute(sql, [1, 2])",
            "database",
            "rows = await asyncio.to_thread(cursor.execute, sql, [1, 2])",
        ),
        (
            'data = open("x", "rb").read()',
            "file",
            "data = await asyncio.to_thread(lambda: open('x', 'rb').read())",
        ),
        (
            "total = sum(range(n))",
            "computation",
            "total = await loop.run_in_executor(processes, sum, range(n))",
        ),
        (
            "key = hashlib.pbkdf2_hmac('sha256', word, salt, rounds)",
            "hashing or compression",
            "key = await asyncio.to_thread("
            "hashlib.pbkdf2_hmac, 'sha256', word, salt, rounds)",
        ),
        (
            "re.findall(pattern, text)",
            "regular expression",
            "await loop.run_in_executor(processes, re.findall, pattern, text)",
        ),
        (
            "subprocess.run(['ls'], check=True)",
            "subprocess",
            "await asyncio.to_thread(subprocess.run, ['ls'], check=True)",
        ),
        ("report(a, b)", "call", "await asyncio.to_thread(report, a, b)"),
    ],
)
def test_a_call_in_a_coroutine(line: str, kind: str, after: str) -> None:
    """The line is told as it is and as it would not hold the loop."""
    found = remedy(f"async def handler():\n    {line}", 2)
    assert found is not None
    assert (found.kind, found.before, found.after) == (kind, line, after)
    assert found.line == 2


def test_a_plain_function_is_taken_off_where_it_is_called() -> None:
    """Only a coroutine can wait, so the remedy is for the line that called."""
    found = remedy(
        """
        def work(rows):
            time.sleep(1)

        async def handler():
            é = 1; work([é])
        """,
        2,
        5,
    )
    assert found is not None
    assert found.kind == "sleep"
    assert found.after == "é = 1; await asyncio.to_thread(work, [é])"


def test_a_loop_of_python_code_goes_as_a_whole() -> None:
    """A line without a call tells that the whole handler computes."""
    found = remedy(
        """
        @app.get("/")
        async def handler():
            total = 0
            while total < 10**9:
                total += 1
        """,
        5,
    )
    assert found is not None
    assert found.after == "def handler():"


def test_what_is_awaited_is_not_to_blame() -> None:
    """Of two calls on a line the one that gives way is left alone."""
    found = remedy("async def f():\n    await send(parse(x))", 2)
    assert found is not None
    assert found.after == "await send(await asyncio.to_thread(parse, x))"


@pytest.mark.parametrize(
    "code", ["def f(:\n  pass", "x = 1", "def plain():\n    time.sleep(1)"]
)
def test_lines_that_tell_nothing_have_none(code: str) -> None:
    """Broken code, no function, no coroutine in sight: no remedy, no error."""
    assert remedy(code, len(code.splitlines())) is None


def test_what_is_proposed_is_python() -> None:
    """A call over several lines is proposed in one, and it parses."""
    found = remedy(
        """
        async def f():
            rows = db.execute(
                "select",
                *args, **kwargs,
            )
        """,
        3,
    )
    assert found is not None
    ast.parse(f"async def f():\n    {found.after}")
    assert found.after.endswith("to_thread(db.execute, 'select', *args, **kwargs)")


@pytest.mark.parametrize(
    ("head", "line", "kind"),
    [
        ("import time", "time.sleep(1)", "sleep"),
        ("from time import sleep as nap", "nap(1)", "sleep"),
        ("from trio import sleep", "sleep(1)", "call"),
        ("from shop import sum", "sum(rows)", "call"),
        ("import shop as requests", "requests.get(url)", "call"),
        ("", "', '.join(rows)", "call"),
        ("", "pattern.match(text)", "call"),
        ("import re; pattern = re.compile('a')", "pattern.findall(text)", "regular"),
        ("", "out.write(data)", "call"),
        ("out = open('x', 'w')", "out.write(data)", "file"),
        ("", "answer.result()", "call"),
        ("", "plan.execute()", "call"),
        ("import sqlite3; c = sqlite3.connect('x')", "c.execute(sql)", "database"),
        ("c = 1", "c.execute(sql)", "call"),
    ],
)
def test_a_name_means_what_the_file_says(head: str, line: str, kind: str) -> None:
    """Imports and what made an object tell the kind; a method's name does not."""
    found = remedy(f"{head}\n\nasync def f():\n    {line}", 4 if head else 2)
    assert found is not None
    assert found.kind.partition(" ")[0] == kind


def test_a_coroutine_that_is_only_made_is_not_to_blame() -> None:
    """What a task is made of runs later; the call beside it lasts."""
    code = """
        from asyncio import create_task, sleep

        async def handler(rows):
            create_task(sleep(1)); spin(rows)
        """
    found = remedy(code, 4)
    assert found is not None
    assert found.after == "create_task(sleep(1)); await asyncio.to_thread(spin, rows)"
    assert remedy("async def f():\n    asyncio.create_task(later())", 2) is None


def test_the_range_of_a_loop_is_not_what_lasts() -> None:
    """A line that counts tells that the whole handler computes."""
    code = "@app.get('/')\nasync def f():\n    for i in range(10**8): pass"
    found = remedy(code, 3)
    assert found is not None
    assert (found.kind, found.after) == ("computation", "def f():")


@pytest.mark.parametrize(
    ("code", "line", "kind", "after"),
    [
        ("while now() < end:\n        pass", 2, "loop", "def f(n):"),
        ("for i in n:\n        x = mix(i)", 3, "loop", "def f(n):"),
        ("for i in n:\n        x = mix(i)\n    await g()", 3, "loop", ""),
        ("for i in n:\n        x = math.sqrt(i)", 3, "loop", "def f(n):"),
        ("x = [mix(i) for i in n]", 2, "loop", "def f(n):"),
        # One of these calls is enough to hold the loop.
        ("for i in n:\n        return mix(i)", 3, "call", "return await"),
        ("for i in mix(n):\n        x = i", 2, "call", "for i in await"),
        ("for i in n:\n        await g(mix(i))", 3, "call", "await g(await"),
        ("for i in n:\n        time.sleep(i)", 3, "sleep", "await asyncio.sleep(i)"),
    ],
)
def test_a_call_that_is_made_over_and_over(code, line, kind, after) -> None:
    """Of a loop that never waits it is the loop that lasts, and no call of it."""
    head = "import math, time\n@app.get('/')\nasync def f(n):\n    "
    found = remedy(head + code, line + 2)
    assert found is not None
    assert found.kind == kind
    assert found.after.startswith(after) if after else found.after == ""


@pytest.mark.parametrize("head", ["async def f():", "def f():"])
def test_a_collection_that_is_asked_for_has_no_other_line(head: str) -> None:
    """It holds the interpreter wherever it is called: nothing is written instead."""
    found = remedy(f"import gc\n{head}\n    gc.collect()\nasync def g(): f()", 3, 4)
    assert found is not None
    assert (found.kind, found.after) == ("garbage collection", "")


def test_what_follows_a_call_is_of_its_result() -> None:
    """The attribute is the answer's, not the coroutine's."""
    found = remedy("async def f():\n    x = requests.get(url).json()", 2)
    assert found is not None
    assert found.after == "x = (await client.get(url)).json()"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("async def f(r):\n    await r()\n    while True: pass", 3),
        ("async def f(r):\n    while r: r -= 1", 2),
        ("@app.websocket('/')\nasync def f(r):\n    while r: r -= 1", 3),
        ("async def f(r):\n    while True: pass\nasync def g():\n    await f(1)", 2),
        ("async def f(c):\n    return (await c.get()).json()", 2),
        ("async def f(c):\n    super().save(c)", 2),
        ("async def f(c):\n    a(c); b(c)", 2),
        ("async def f(c):\n    x = max(c, key=lambda r: r.size)", 2),
        ("async def f(c):\n    x = re.match(c, c)", 2),
    ],
    ids=[
        "await",
        "no handler",
        "websocket",
        "awaited",
        "in a lambda",
        "super",
        "either",
        "key",
        "no letter",
    ],
)
def test_what_would_not_work_is_not_proposed(code: str, line: int) -> None:
    """No remedy is better than one that is no Python, or does something else."""
    assert remedy(code, line) is None


def test_a_file_is_taken_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it stands in the stack; and a big one never."""
    asked = []
    parse = ast.parse
    monkeypatch.setattr(ast, "parse", lambda text: asked.append(1) or parse(text))
    code = "def a():\n    a()\nasync def f():\n    a()"
    assert remedy(code, 2) is None
    lines = code.splitlines()
    assert find_remedy([(lines, 2)] * 5 + [(lines, 4)]) is not None
    assert len(asked) == 2
    assert find_remedy([([*lines, "#" * MAX_TEXT], 4)]) is None
    assert len(asked) == 2
