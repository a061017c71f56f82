"""Say what to write instead of a call that holds the loop.

Reads the source of the line with `ast`: which call it is, and what it looks like
taken off the loop. Nothing is run or imported. What a name means is told by the
file's imports and by what it was made with, never by a method's name alone. What
is proposed compiles, or there is no remedy.
"""

from __future__ import annotations

import ast
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from dashboard.server.diagnosis.meanings import File, kind_of, last_name
from dashboard.server.diagnosis.parse import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dashboard.server.model.stall import Line
    from dashboard.server.reading.names import Place

    ReadLines = Callable[[Place], Sequence[str] | None]
    Function = ast.FunctionDef | ast.AsyncFunctionDef

#: Kinds for which a thread is no help: they need the interpreter all the time.
NEEDS_A_PROCESS = frozenset({"computation", "regular expression"})
#: A call of these kinds, over and over: to take off one of them is no help.
SHORT = frozenset({"call", "computation"})
#: Deeper stacks are not taken apart.
MAX_FRAMES = 30
#: Calls that are over at once: what lasts is the loop around them.
INSTANT = frozenset({"range", "enumerate", "zip", "map", "filter", "len", "iter"})
#: Calls that only take a coroutine, which runs later.
STARTERS = frozenset(
    {
        "create_task",
        "ensure_future",
        "gather",
        "run_coroutine_threadsafe",
        "shield",
        "start_soon",
        "wait_for",
    }
)
#: Their results cannot be pickled, as what comes from a process is.
NO_LETTERS = frozenset({"match", "search", "fullmatch", "finditer"})
#: What cannot go into a lambda: it would mean something else there, or nothing.
_NOT_IN_LAMBDA = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
#: Decorators of handlers that FastAPI runs in a thread, once they are a plain `def`.
ROUTES = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "trace", "api_route"}
)
#: Where others have their turn.
_WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
#: What runs later, or where nobody can wait.
_ELSEWHERE = (
    ast.Lambda,
    ast.GeneratorExp,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
)


class Remedy(NamedTuple):
    """A line as it is, and as it would not hold the loop."""

    kind: str
    """What holds the loop: `sleep`, `HTTP client`, `computation`, …"""
    before: str
    after: str
    """Nothing, where no other line is the answer."""
    note: str
    line: int
    """Where `before` stands."""


#: The answer of somebody who is still reading.
NOT_YET = Remedy("", "", "", "", 0)


def remedy_at(
    place: Place, stack: Sequence[Line], read_lines: ReadLines
) -> Remedy | None:
    """Return what to write instead at a place, and the user's lines that led there."""
    files: dict[str, Sequence[str] | None] = {}
    frames = []
    # Other people's lines are not for the user to change.
    for each in [line.place for line in stack if line.is_users] if stack else [place]:
        if each.file not in files:
            files[each.file] = read_lines(each)
        lines = files[each.file]
        if lines is None or each.line > len(lines):
            break
        frames.append((lines, each.line))
    return find_remedy(frames)


def find_remedy(frames: Sequence[tuple[Sequence[str], int]]) -> Remedy | None:
    """Return what to write instead, or None if the lines tell nothing.

    `frames` are the user's own, the innermost first: the lines of a file, and the
    number of the one that ran. If the first stands in a plain function, the remedy
    is for the line of the coroutine that called it: only that one can wait.
    """
    kind, callee = "", ""
    files: dict[int, File | None] = {}
    for depth, (lines, line) in enumerate(frames[:MAX_FRAMES]):
        # A file stands several times in a stack, and is taken apart once.
        if id(lines) not in files:
            files[id(lines)] = _parse(lines)
        file = files[id(lines)]
        function = _function_of(file.tree, line) if file is not None else None
        if file is None or function is None:
            return None
        calls = _calls_on(function, file, line)
        call = _lasting(calls, file, callee)
        kind = kind or (kind_of(call, file) if call is not None else "computation")
        if kind == "garbage collection":
            return Remedy(kind, lines[line - 1].strip(), "", "", line)
        if isinstance(function, ast.AsyncFunctionDef):
            if not calls:
                # A loop of its own Python code: all of it has to go elsewhere.
                return _whole_function(function, file, lines, line)
            if call is None:
                return None
            is_own = depth == 0
            if is_own and kind in SHORT and _is_repeated(function, call):
                return _whole_function(
                    function, file, lines, line, kind="loop"
                ) or Remedy("loop", lines[line - 1].strip(), "", "", line)
            return _rewrite(lines, function, file, call, kind, is_own=is_own)
        callee = function.name
    return None


def _parse(lines: Sequence[str]) -> File | None:
    tree = parse(lines)
    return File(tree) if tree is not None else None


def _rewrite(
    lines: Sequence[str],
    function: ast.AsyncFunctionDef,
    file: File,
    call: ast.Call,
    kind: str,
    *,
    is_own: bool,
) -> Remedy | None:
    told = _instead(call, kind, file, is_own=is_own)
    if told is None:
        return None
    new, note = told
    # Columns of a syntax tree count bytes.
    first = lines[call.lineno - 1].encode()
    last = lines[_last(call) - 1].encode()
    head = first[: call.col_offset].decode()
    tail = last[call.end_col_offset :].decode()
    if tail.lstrip().startswith((".", "(", "[")):
        # What follows belongs to the result, not to what is awaited.
        new = f"({new})"
    changed = [*lines[: call.lineno - 1], head + new + tail, *lines[_last(call) :]]
    removed = _last(call) - call.lineno
    end = (function.end_lineno or function.lineno) - removed
    if not _compiles(changed[function.lineno - 1 : end]):
        return None
    if removed:
        return Remedy(kind, ast.unparse(call), new, note, call.lineno)
    before = lines[call.lineno - 1].strip()
    return Remedy(kind, before, (head + new + tail).strip(), note, call.lineno)


def _instead(
    call: ast.Call, kind: str, file: File, *, is_own: bool
) -> tuple[str, str] | None:
    """Return the expression to write instead of a call, and a note; None: no way."""
    arguments = _arguments(call)
    function = ast.unparse(call.func)
    if kind == "sleep" and is_own:
        return f"await asyncio.sleep({arguments})", ""
    if kind == "HTTP client" and is_own:
        method = last_name(call)
        if method not in ("get", "post", "put", "patch", "delete", "head", "request"):
            method = "get" if method == "urlopen" else ""
        if method:
            note = "client is one httpx.AsyncClient() for the whole app."
            return f"await client.{method}({arguments})", note
    if kind in NEEDS_A_PROCESS:
        return _in_process(call, function)
    note = ""
    if kind == "database":
        note = (
            "Or an asynchronous driver, such as aiosqlite, asyncpg or psycopg's. "
            "A sqlite3 connection needs check_same_thread=False for a thread."
        )
    elif kind == "hashing or compression":
        note = "It lets go of the interpreter meanwhile, so a thread is enough."
    elif is_own and kind == "file":
        note = "Or write the handler as a plain def: FastAPI runs it in a thread."
    made = any(isinstance(node, ast.Call) for node in ast.walk(call.func))
    others = [each for each in _calls(call, file) if each is not call]
    if not made and not (is_own and kind == "call" and others):
        return f"await asyncio.to_thread({_passed(function, call)})", note
    # What makes the object or an argument runs as well, and not before the thread
    # does: it may be what lasts.
    for node in ast.walk(call):
        if isinstance(node, _NOT_IN_LAMBDA):
            return None
        if isinstance(node, ast.Name) and node.id == "super":
            return None
    return f"await asyncio.to_thread(lambda: {ast.unparse(call)})", note


def _in_process(call: ast.Call, function: str) -> tuple[str, str] | None:
    """Say how to give it to a process, if all it needs and makes can be pickled."""
    if last_name(call) in NO_LETTERS:
        return None
    if any(isinstance(each, ast.Lambda | ast.GeneratorExp) for each in ast.walk(call)):
        return None
    passed = _passed(function, call)
    if call.keywords:
        passed = f"functools.partial({passed})"
    note = (
        "loop is asyncio.get_running_loop(), processes one ProcessPoolExecutor for the "
        "whole app: a thread would fight the loop for the interpreter."
    )
    return f"await loop.run_in_executor(processes, {passed})", note


def _whole_function(
    function: ast.AsyncFunctionDef,
    file: File,
    lines: Sequence[str],
    at: int,
    kind: str = "computation",
) -> Remedy | None:
    if function.name in file.called or not _is_in_loop(function, at):
        # Somebody awaits it; or it is one line, that may do anything.
        return None
    if not _is_handler(function):
        # Then who awaits it may stand in another file.
        return None
    line = lines[function.lineno - 1]
    after = line.replace("async def", "def", 1)
    if not _compiles([after, *lines[function.lineno : function.end_lineno]]):
        return None
    return Remedy(
        kind,
        line.strip(),
        after.strip(),
        "As a plain def FastAPI runs it in a thread, where it still shares the "
        "interpreter; a ProcessPoolExecutor takes it off altogether.",
        function.lineno,
    )


def _is_handler(function: Function) -> bool:
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in ROUTES
        for each in function.decorator_list
    )


def _is_in_loop(function: Function, line: int) -> bool:
    return any(
        isinstance(
            node, ast.For | ast.While | ast.ListComp | ast.SetComp | ast.DictComp
        )
        and node.lineno <= line <= (node.end_lineno or node.lineno)
        for node in ast.walk(function)
    )


def _is_repeated(function: Function, call: ast.Call) -> bool:
    """Say whether a loop that never waits makes a call over and over."""
    turn: Sequence[ast.AST]
    for node in ast.walk(function):
        match node:
            case ast.For():
                turn = node.body
            case ast.While():
                turn = [node.test, *node.body]
            case ast.ListComp() | ast.SetComp():
                turn = [node.elt]
            case ast.DictComp():
                turn = [node.key, node.value]
            case _:
                continue
        inside = [each for part in turn for each in ast.walk(part)]
        # What is returned is made once.
        ends = [each for each in inside if isinstance(each, ast.Return)]
        if any(call in ast.walk(each) for each in ends):
            continue
        if call in inside and not any(isinstance(each, _WAITS) for each in inside):
            return True
    return False


def _compiles(lines: Sequence[str]) -> bool:
    """Say whether a function is one. Its text is compiled, and never run."""
    text = textwrap.dedent("\n".join(lines))
    try:
        compile(text, "<proposed>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _passed(function: str, call: ast.Call) -> str:
    arguments = _arguments(call)
    return f"{function}, {arguments}" if arguments else function


def _arguments(call: ast.Call) -> str:
    words = [ast.unparse(each) for each in call.args]
    words += [
        f"{each.arg}={ast.unparse(each.value)}"
        if each.arg
        else f"**{ast.unparse(each.value)}"
        for each in call.keywords
    ]
    return ", ".join(words)


def _calls_on(function: Function, file: File, line: int) -> list[ast.Call]:
    """Return the calls that may last on a line, the outer before the inner."""
    calls = [
        call
        for statement in function.body
        if statement.lineno <= line <= (statement.end_lineno or statement.lineno)
        for call in _calls(statement, file)
        if call.lineno <= line <= _last(call)
    ]
    return [call for call in calls if call.lineno == line] or calls


def _lasting(calls: Sequence[ast.Call], file: File, callee: str) -> ast.Call | None:
    """Return the call that lasted, or None if it could be any of several.

    `callee`: the function that it was seen in, if that is the user's; otherwise it
    is one that we know, or the one around all the others.
    """
    if callee:
        named = [call for call in calls if last_name(call) == callee]
        if len(named) == 1:
            return named[0]
    known = [call for call in calls if kind_of(call, file) != "call"]
    if known and not callee:
        return known[0]
    for call in calls:
        inside = {id(node) for node in ast.walk(call)}
        if all(id(other) in inside for other in calls):
            return call
    return None


def _calls(node: ast.AST, file: File) -> Iterator[ast.Call]:
    """Every call that may last and can wait, the outer before the inner."""
    skipped: set[int] = set()
    todo: list[ast.AST] = [node]
    for each in todo:
        if isinstance(each, ast.Await):
            # What is awaited gives way by itself.
            skipped.add(id(each.value))
        elif isinstance(each, ast.Call):
            if last_name(each) in STARTERS:
                skipped.add(id(each))
                skipped.update(id(argument) for argument in each.args)
            elif file.meaning(each.func) in INSTANT or file.is_coroutine(each):
                skipped.add(id(each))
            if id(each) not in skipped:
                yield each
        if not isinstance(each, _ELSEWHERE):
            todo.extend(ast.iter_child_nodes(each))


def _last(node: ast.Call) -> int:
    return node.end_lineno or node.lineno


def _function_of(tree: ast.AST, line: int) -> Function | None:
    """Return the innermost function around a line."""
    found: Function | None = None
    todo = [tree]
    for node in todo:
        for child in ast.iter_child_nodes(node):
            first = getattr(child, "lineno", line)
            if first <= line <= (getattr(child, "end_lineno", line) or line):
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                    found = child
                todo.append(child)
    return found
