"""Name what a line awaits as the line itself does: `cache` of `async with self.cache`.

Read from the code object, never from a source file or the frame's values, once for
each place in the program. Only a plain path of names counts (`lock`, `app.state.lock`, `jobs.get()`); what
could be one object or another has no name.
"""

from __future__ import annotations

from dis import EXTENDED_ARG, opmap, opname
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType

#: What is awaited stands this close before the place where it is awaited, in
#: instructions; looking further costs more than a name is worth.
WINDOW = 120
#: From an `await` to where its coroutine is suspended: a constant, SEND, YIELD_VALUE.
REACH = 8
MAX_SITES = 4096
UNIT_BYTES = 2

_AWAIT = (opmap["GET_AWAITABLE"], opmap["GET_ANEXT"])
_ENTER = opmap["BEFORE_ASYNC_WITH"]
_CALLS = ("CALL", "CALL_KW")
_NO_VALUE = ("CACHE", "NOP", "EXTENDED_ARG", "PRECALL", "PUSH_NULL")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
#: From 3.12 on the lowest bit says whether it is a method that will be called.
_ATTRIBUTE_SHIFT = 0 if "PRECALL" in opmap else 1

_names: dict[tuple[int, int], str] = {}
_kept: list[CodeType] = []


def name_at(code: CodeType, lasti: int) -> str:
    """Return the name of what is awaited at an instruction, or an empty string.

    It ends in `()` if that is what a function or method has returned.
    """
    key = (id(code), lasti)
    name = _names.get(key)
    if name is None:
        try:
            name = _Window(code, lasti).read_name()
        except (IndexError, StopIteration, TypeError, ValueError):
            name = ""
        if len(_names) < MAX_SITES:
            # Kept alive, so that its id stays its own.
            _kept.append(code)
            _names[key] = name
    return name


class _Window:
    """The instructions up to a place in a code object."""

    def __init__(self, code: CodeType, lasti: int) -> None:
        end = lasti // UNIT_BYTES + 1
        begin = max(0, end - WINDOW)
        units = code.co_code[begin * UNIT_BYTES : end * UNIT_BYTES]
        self.code = code
        self.ops = units[::UNIT_BYTES]
        self.arguments = units[1::UNIT_BYTES]
        self.places: list[Any] = list(islice(code.co_positions(), begin, end))
        """(line, last line, column, last column) of each instruction's source."""

    def read_name(self) -> str:
        last = len(self.ops) - 1
        awaits = next(
            at for at in range(last, last - REACH, -1) if self.ops[at] in _AWAIT
        )
        at, end = self.before(awaits), ""
        if self.ops[at] == _ENTER:
            names = self.entered(at)
        elif opname[self.ops[awaits]] != "GET_ANEXT" and (
            self.places[at][1::2] != self.places[awaits][1::2]
        ):
            # `await (this or that)`: its last part is not all of it.
            names = []
        elif opname[self.ops[at]] in _CALLS:
            names, end = self.leading(at), "()"
        else:
            names = self.leading(at)
        if len(names) > 1 and names[0] in ("self", "cls"):
            names = names[1:]
        return ".".join(names) + end if names else ""

    def before(self, at: int) -> int:
        """Return the instruction that comes before, of those that do something."""
        at -= 1
        while opname[self.ops[at]] in _NO_VALUE:
            at -= 1
        return at

    def leading(self, at: int) -> list[str]:
        """Return the path of names that the expression made by `at` begins with."""
        line, last_line, column, last_column = self.places[at]
        if column is None:
            return []
        is_call = opname[self.ops[at]] in _CALLS
        found: dict[tuple[int, int], str] = {}
        for index in range(at + 1):
            place = self.places[index]
            if place[0] != line or place[2] != column or (index == at and is_call):
                continue
            operation = opname[self.ops[index]]
            name = self.name(index)
            if name and (found or operation not in _ATTRIBUTES):
                found[place[1::2]] = name
            elif operation not in _NO_VALUE:
                # `locks[0].acquire()`, `pick().acquire()`, `(a or b).acquire()`
                return []
        is_all = is_call or (last_line, last_column) in found
        return list(found.values()) if is_all else []

    def entered(self, at: int) -> list[str]:
        """Return the path of names of what `async with` enters."""
        last = self.before(at)
        names: list[str] = []
        while opname[self.ops[last]] in _ATTRIBUTES:
            names.append(self.name(last))
            last = self.before(last)
        names.append(self.name(last))
        # Was that all of the expression? 3.13 tells where it is; before that all
        # we have is the statement, and what went before must not be part of it.
        whole, first = self.places[at], self.places[last]
        earlier = self.places[self.before(last)]
        if whole[::2] != first[::2] and earlier[::2] >= whole[::2]:
            return []
        return names[::-1] if all(names) else []

    def name(self, index: int) -> str:
        """Return the name that an instruction looks up, if that is what it does."""
        code, argument = self.code, self.arguments[index]
        if index and self.ops[index - 1] == EXTENDED_ARG:
            argument |= self.arguments[index - 1] << 8
        operation = opname[self.ops[index]]
        if operation in ("LOAD_FAST", "LOAD_FAST_CHECK"):
            return code.co_varnames[argument]
        if operation == "LOAD_DEREF":
            cells = [name for name in code.co_cellvars if name not in code.co_varnames]
            return (*code.co_varnames, *cells, *code.co_freevars)[argument]
        if operation in ("LOAD_NAME", "LOAD_METHOD"):
            return code.co_names[argument]
        if operation == "LOAD_GLOBAL":
            return code.co_names[argument >> 1]
        if operation == "LOAD_ATTR":
            return code.co_names[argument >> _ATTRIBUTE_SHIFT]
        return ""
