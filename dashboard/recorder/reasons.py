"""Say what a suspended task waits for, and at which line of the user's code.

The chain of coroutines is read, never touched: from the task's own inwards, past
the innermost line that is the user's, to the first coroutine of a library that we
know (`primitives.py`, `libraries.py`). A wait that has no known name is `unknown`,
never a guess. Costs some 3 µs, so it is done only for waits that last.
"""

from __future__ import annotations

import sys
import sysconfig
from asyncio import Future, Task
from functools import lru_cache
from opcode import opmap
from types import CoroutineType, FunctionType
from typing import TYPE_CHECKING, Any

from dashboard.recorder.handles import coro_of
from dashboard.recorder.libraries import role_of
from dashboard.recorder.peek import (
    FutureIter,
    class_of,
    exits_of,
    frame_of,
    locals_of,
    peek,
    step_in,
    variable_of,
)
from dashboard.recorder.primitives import Role, Wait, count, nanoseconds
from dashboard.recorder.sites import name_at
from dashboard.recorder.titles import tell_title
from dashboard.records import Detail, Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from dashboard.recorder.recorder import Recorder, TaskEntry

#: A chain is as deep as the program's nested awaits; this is beyond any.
MAX_DEPTH = 100
#: Pieces of code whose role is remembered.
MAX_ROLES = 20_000
#: Hosts and the like vary without bound, the string table does not: so many of them
#: are told, in a tenth of it, and from then on only the kind of wait.
MAX_TEXTS = 500
#: From the user's line to a primitive's own coroutine: `async with` takes one more.
NAMED_DEPTH = 3

_USERS = Role("the user's")
_USERS_IN_BLOCKS = Role("the user's, with blocks")
_BLOCKS = (opmap["BEFORE_WITH"], opmap["BEFORE_ASYNC_WITH"])
_NOTHING = Role("")
_TOKEN = "thread token"
_UNKNOWN = "unknown"

# Plain integers: an enum's member costs a look-up of its own at each use.
DETAIL, REASON = int(Kind.DETAIL), int(Kind.REASON)
TEXT, TASK, HOLDER = int(Detail.TEXT), int(Detail.TASK), int(Detail.HOLDER)
TIMEOUT = int(Detail.TIMEOUT)

_roles: dict[int, Role] = {}
_kept: list[CodeType] = []


class Chain:
    """What a walk along a task's awaits has found."""

    __slots__ = ("depth", "first", "found", "found_depth", "user", "user_depth", "via")

    depth: int
    first: tuple[CodeType | str, Any] | None
    """The outermost coroutine: its code (a name, if it is in C) and itself."""
    user: tuple[CodeType, Any, bool] | None
    """The innermost one of the user's code, and if that has `with` blocks."""
    user_depth: int
    found: tuple[Role, CodeType | str, Any] | None
    """The outermost one inside of that whose role is known."""
    found_depth: int
    via: tuple[Role, CodeType | str, Any] | None
    """One on the way there that says less: `wait_for`, `to_thread`."""


def note_reason(
    rec: Recorder,
    task: Any,
    entry: TaskEntry,
    now_ns: int,
    holders: Callable[[], dict[int, int]] | None = None,
) -> None:
    """Record why `task` waits, if that can be told.

    `holders`: of each lock who has it, from the watchdog, while the wait lasts. At
    the wake it is left out: then whoever gives the lock back is who runs.
    """
    entry.named = True
    if not entry.request:
        tell_title(rec, task, entry)
    try:
        chain = follow(task)
        wait = explain(chain, task, entry.since_ns)
        frame = _shown_frame(chain)
    except Exception:  # noqa: BLE001 - a coroutine of somebody's own making
        return
    if frame is None:
        return
    code = frame.f_code
    key = (wait.what, wait.is_named, id(code), frame.f_lasti)
    index = rec.names.get(key)
    if index is None:
        index = _intern_place(rec, wait, frame)
        if id(code) in _roles and len(rec.names) < MAX_ROLES:
            rec.names[key] = index
    write, number = rec.ring.write, entry.no
    for detail, value in wait.details:
        write(DETAIL, now_ns, value, number, detail)
    if wait.text and (text := _intern_text(rec, wait.text)):
        write(DETAIL, now_ns, text, number, TEXT)
    if wait.lock is not None or wait.holder is not None:
        holder = _holder_of(rec, wait, task, holders)
        if holder and holder != number:
            detail = TASK if wait.lock is None else HOLDER
            write(DETAIL, now_ns, holder, number, detail)
    write(REASON, now_ns, wait.deadline_ns, number, index)


def follow(task: Any) -> Chain:
    """Walk from a task's coroutine to what it awaits in the end.

    Written for speed: some twenty coroutines deep is usual below a framework.
    """
    roles = _roles
    first: Any = None
    user: Any = None
    user_code: Any = None
    user_role: Any = None
    found: Any = None
    via: Any = None
    depth = user_depth = found_depth = 0
    awaited: Any = coro_of(task)
    while awaited is not None and depth < MAX_DEPTH:
        kind = type(awaited)
        if kind is CoroutineType:
            coro, code = awaited, awaited.cr_code
            awaited = coro.cr_await
        elif kind is FutureIter:
            break
        else:
            step = step_in(awaited)
            if step is None:
                break
            code, coro, awaited = step
        depth += 1
        if depth == 1:
            first = (code, coro)
        try:
            role = roles[id(code)]
        except KeyError:
            role = _learn(code, coro)
        if role is _NOTHING:
            continue
        if role is _USERS or role is _USERS_IN_BLOCKS:
            # Whatever was known outside of it is the user's own business.
            user, user_code, user_role, user_depth = coro, code, role, depth
            found = via = None
        elif found is None:
            if not role.is_through:
                found, found_depth = (role, code, coro), depth
            elif via is None:
                via = (role, code, coro)
    chain = Chain()
    chain.first, chain.depth = first, depth
    is_in_blocks = user_role is _USERS_IN_BLOCKS
    chain.user = None if user is None else (user_code, user, is_in_blocks)
    chain.user_depth = user_depth
    chain.found, chain.found_depth = found, found_depth
    chain.via = via
    return chain


def _learn(code: CodeType | str, coro: Any) -> Role:
    """Find out whose a piece of code is, and what it means to wait in it."""
    frame = frame_of(coro)
    if type(code) is str or frame is None:
        return role_of("", str(code), coro) or _NOTHING
    if is_users_file(code.co_filename):  # type: ignore[union-attr]
        opcodes = code.co_code[::2]  # type: ignore[union-attr]
        has_blocks = any(opcode in opcodes for opcode in _BLOCKS)
        role = _USERS_IN_BLOCKS if has_blocks else _USERS
    else:
        module = frame.f_globals.get("__name__")
        known = role_of(str(module), code.co_qualname, coro)  # type: ignore[union-attr]
        role = known or _NOTHING
    if len(_kept) < MAX_ROLES:
        # Kept alive, so that its id stays its own.
        _kept.append(code)  # type: ignore[arg-type]
        _roles[id(code)] = role
    return role


def explain(chain: Chain, task: Any, since_ns: int) -> Wait:
    """Say what the end of a chain means: its kind and its details."""
    if chain.found is not None:
        role, code, coro = chain.found
        wait = Wait(role.what, coro)
        if role.tell is not None:
            role.tell(wait, locals_of(coro, code))
        if role.is_named:
            if chain.via is not None and chain.via[0].what == "worker thread":
                wait.what = _TOKEN
            elif chain.user is not None and chain.via is None:
                between = chain.found_depth - chain.user_depth
                wait.is_named = between <= NAMED_DEPTH
    else:
        wait = _explain_future(chain, task)
    if chain.via is not None:
        role, code, coro = chain.via
        if role.tell is not None:
            role.tell(wait, locals_of(coro, code))
    elif chain.user is not None and chain.user[2]:
        _add_timeout(wait, chain.user, since_ns)
    return wait


def _explain_future(chain: Chain, task: Any) -> Wait:
    """Say what a task waits for that awaits a future or task itself."""
    waiter = peek(task, "_fut_waiter")
    via = chain.via
    if via is not None and via[0].what == "wait_for":
        # Up to 3.11 what it waits for is in a task of its own.
        inner = locals_of(via[2], via[1])[0]
        if issubclass(type(inner), Task):
            within = follow(inner)
            if within.found is not None or within.user is not None:
                within.via = None
                return explain(within, inner, 0)
    wait = Wait(via[0].what if via is not None else _UNKNOWN, None)
    if class_of(waiter)[1] == "_GatheringFuture":
        wait.what = "gather"
        count(wait, peek(waiter, "_children"))
    elif issubclass(type(waiter), Task):
        wait.what, wait.holder = "task", waiter
    elif via is None and type(waiter) is Future:
        _explain_bare(wait, waiter)
        if wait.what == _UNKNOWN and chain.user is not None:
            if chain.user_depth == chain.depth:
                wait.what, wait.is_named = "Future", True
    return wait


def _explain_bare(wait: Wait, future: Any) -> None:
    """Tell an executor's future, or a shield's, by who wants to hear of its end.

    Only while it lasts: at the wake they have all been told.
    """
    for callback, _ in future._callbacks or ():
        if type(callback) is not FunctionType:
            continue
        name = callback.__qualname__
        if name == "_chain_future.<locals>._call_check_cancel":
            wait.what = "executor"
        elif name == "shield.<locals>._outer_done_callback":
            inner = variable_of(callback, "inner")
            if issubclass(type(inner), Task):
                wait.holder = inner


def _add_timeout(wait: Wait, user: tuple[CodeType, Any, bool], since_ns: int) -> None:
    """Say how long it waits at most, if the user's line is inside of a timeout."""
    for each in exits_of(locals_of(user[1], user[0])):
        kind = class_of(each)
        when = None
        if kind == ("asyncio.timeouts", "Timeout"):
            when = peek(each, "_when")
        elif kind == ("anyio._backends._asyncio", "CancelScope"):
            when = peek(each, "_deadline")
        left_ns = nanoseconds(when) - since_ns
        if left_ns > 0 and since_ns:
            # What it was made with is a bit more: two digits are as good as known.
            rough_ns = round(left_ns, 2 - len(str(left_ns)))
            wait.details.append((TIMEOUT, rough_ns))


def _holder_of(
    rec: Recorder,
    wait: Wait,
    task: Any,
    holders: Callable[[], dict[int, int]] | None,
) -> int:
    """Return the number of the task that is waited for, or holds the lock; or 0."""
    if wait.holder is not None and wait.holder is not task:
        entry = rec.tasks.get(id(wait.holder))
        return entry.no if entry is not None else 0
    if wait.lock is None:
        return 0
    if holders is not None:
        return holders().get(id(wait.lock), 0)
    # It is being given back, by who runs; unless the wait was cancelled.
    waiter = peek(task, "_fut_waiter")
    is_given = type(waiter) is Future and not waiter.cancelled()
    return rec.current if is_given and rec.current > 0 else 0


def _intern_place(rec: Recorder, wait: Wait, frame: FrameType) -> int:
    """Return the string index of what is waited for, and of the line that waits."""
    code, what = frame.f_code, wait.what
    if wait.is_named:
        name = name_at(code, frame.f_lasti)
        if what != "Future":
            # Of `jobs.get()` the method is the kind of wait, and said already.
            name = name.rpartition(".")[0] if name.endswith("()") else name
        if name:
            what = f'{what} "{name}"'
    return rec.intern(what, code.co_filename, frame.f_lineno, code.co_qualname)


def _intern_text(rec: Recorder, text: str) -> int:
    index = rec.texts.get(text)
    if index is None and len(rec.texts) < MAX_TEXTS:
        index = rec.texts[text] = rec.intern(text)
    return index or 0


def _shown_frame(chain: Chain) -> FrameType | None:
    """Return the user's innermost frame; the outermost one when none is the user's."""
    if chain.user is not None:
        return frame_of(chain.user[1])
    return frame_of(chain.first[1]) if chain.first is not None else None


def is_users(frame: FrameType | None) -> bool:
    """Say whether a frame is the user's own code: neither library nor recorder."""
    return frame is not None and is_users_file(frame.f_code.co_filename)


@lru_cache(maxsize=4096)
def is_users_file(file: str) -> bool:
    """Say whether a file belongs to neither the standard library nor a package."""
    if file.startswith("<") or "site-packages" in file or "dist-packages" in file:
        return _is_ours_to_show(file)
    return not file.startswith(LIBRARY) and not file.startswith(RECORDER)


def _is_ours_to_show(file: str) -> bool:
    # The demo app is the user's code even when it is installed.
    return file.startswith(DEMO)


LIBRARY = tuple(
    {
        path
        for name in ("stdlib", "platstdlib")
        if (path := sysconfig.get_paths().get(name))
    }
    | {f"{sys.base_prefix}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/"}
)
RECORDER = __file__.rpartition("/")[0] + "/"
DEMO = __file__.rpartition("/recorder/")[0] + "/demo/"
