"""Name what a loop runs, once each: coroutines, callbacks and lines become strings.

What is named is known by its code: tasks and closures come and go, that stays.
"""

from __future__ import annotations

from asyncio import Task
from types import BuiltinMethodType
from typing import TYPE_CHECKING, Any

from dashboard.recorder.handles import coro_of
from dashboard.records import FIELD_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType, FrameType

    from dashboard.ring import RingWriter

#: Programs that make code as they run (templates, notebooks) would fill the memory
#: with names; beyond this many pieces of code new ones stay nameless.
MAX_NAMES = 20_000
#: Coroutines of anyio's task groups around those that are meant, by version.
WRAPPERS = frozenset({"TaskHandle._run_coro", "TaskGroup._run_wrapped_task"})


def _code_of(coro: Any) -> Any:
    code = getattr(coro, "cr_code", None) or getattr(coro, "gi_code", None)
    if code is None:
        return None
    if code.co_qualname in WRAPPERS and coro.cr_frame is not None:
        # Not by its code, which all of them share: so never kept by that.
        code = getattr(_wrapped(coro.cr_frame.f_locals), "cr_code", code)
    return code


def _wrapped(scope: Mapping[str, Any]) -> Any:
    return scope.get("coro") or getattr(scope.get("self"), "_coro", None)


class Names:
    """The string indices in a ring of what has a name, so far.

    The hooks look into the tables themselves before they ask for a name: a call costs
    as much as a record.
    """

    __slots__ = ("_codes", "builtin_names", "names", "ring", "texts", "titles")

    def __init__(self, ring: RingWriter) -> None:
        self.ring = ring
        self.names: dict[Any, int] = {}
        """String indices by id of a code object, by method and route."""
        self.builtin_names: dict[int, int] = {}
        """The same for methods of objects in C, by the hash of their function."""
        self.texts: dict[str, int] = {}
        """String indices of hosts and the like, see reasons.py."""
        self.titles: dict[str, int] = {}
        """String indices of the names that tasks were given, see titles.py."""
        self._codes: list[CodeType] = []
        # Kept alive, so that their ids stay theirs. To hash a code object takes a
        # walk over all of its instructions: a tenth of what recording cost.

    def name_task(self, task: Any) -> int:
        """Return the string index of a task's coroutine: qualname, file, line.

        What cannot be named has no name; that is no reason to stop recording.
        """
        try:
            # One that is written in Python has its own way to tell.
            find = coro_of if isinstance(task, Task) else type(task).get_coro
            return self.name_coroutine(find(task))
        except Exception:  # noqa: BLE001 - a coroutine of somebody's own making
            return 0

    def coroutine_of(self, task: Any) -> str:
        """Return the name of a task's coroutine, its qualname; "" if it has none."""
        try:
            return str(_code_of(coro_of(task)).co_qualname)
        except Exception:  # noqa: BLE001 - a coroutine of somebody's own making
            return ""

    def name_coroutine(self, coro: Any) -> int:
        """Return the string index of a coroutine: qualname, file, line."""
        code = _code_of(coro)
        return (
            self.intern(type(coro).__name__) if code is None else self.name_code(code)
        )

    def name_code(self, code: CodeType) -> int:
        index = self.names.get(id(code))
        if index is None:
            if len(self._codes) >= MAX_NAMES:
                return 0
            index = self.intern(code.co_qualname, code.co_filename, code.co_firstlineno)
            self.names[id(code)] = index
            self._codes.append(code)
        return index

    def name_line(self, frame: FrameType) -> int:
        """Return the string index of the line at which a frame is, or 0."""
        code = frame.f_code
        key = (id(code), frame.f_lasti)
        index = self.names.get(key)
        if index is None:
            if len(self._codes) >= MAX_NAMES:
                return 0
            where = code.co_filename, frame.f_lineno, code.co_qualname
            index = self.names[key] = self.intern(*where)
            self._codes.append(code)
        return index

    def name_callback(self, callback: Any) -> int:
        """Return the string index of a callback's name: qualname, file, line.

        Keyed by code object, not by function: closures come and go, their code
        stays. What cannot be named is called *callback*.
        """
        try:
            return self._name_callable(callback)
        except Exception:  # noqa: BLE001 - a callable of somebody's own making
            return self.intern("callback")

    def _name_callable(self, callback: Any) -> int:
        if type(callback) is BuiltinMethodType:
            # To ask one for its name makes a string each time; its hash is its
            # object's and its function's, and that of the object is known.
            key = hash(callback) ^ object.__hash__(callback.__self__)
            index = self.builtin_names.get(key)
            if index is None:
                index = self.intern(callback.__qualname__)
                self.builtin_names[key] = index
            return index
        for _ in range(4):
            inner = getattr(callback, "__func__", None) or getattr(
                callback, "func", None
            )
            if inner is None:
                break
            callback = inner
        code = getattr(callback, "__code__", None)
        if code is not None:
            return self.name_code(code)
        name = getattr(callback, "__qualname__", None)
        if not isinstance(name, str):
            name = type(callback).__qualname__
        return self.intern(name)

    def intern(self, *fields: object) -> int:
        """Return the string index of `fields` joined as records.py says."""
        return self.ring.intern(FIELD_SEPARATOR.join(map(str, fields)))
