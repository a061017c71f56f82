"""Look into suspended coroutines and other people's objects without running their code.

An attribute may be a property, a look at `frame.f_locals` keeps a copy of every
local alive (up to 3.12), and any `__eq__`, `__repr__` or `__getattr__` is
somebody's program. So fields are read from slots and instance dictionaries, and
locals are what the garbage collector would see of a coroutine. Nothing here keeps
what it has found.
"""

from __future__ import annotations

import gc
from asyncio import Future
from types import (
    AsyncGeneratorType,
    CellType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
)
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType


def _find_future_iterator() -> type:
    """Return the type at the end of most chains: what awaits a future, in C."""

    class Probe:
        """As much of a loop as a future asks for when it is made."""

        def get_debug(self) -> bool:
            return False

    probe: Any = Probe()
    return type(Future(loop=probe).__await__())


FutureIter = _find_future_iterator()
referents_of = gc.get_referents
# By descriptor: a metaclass may answer for the attributes of its classes.
_mro_of = type.__dict__["__mro__"].__get__
_dict_of_class = type.__dict__["__dict__"].__get__
_name_of_class = type.__dict__["__name__"].__get__
_module_of_class = type.__dict__["__module__"].__get__
_IN_C = (MemberDescriptorType, GetSetDescriptorType)
#: Awaitables of the interpreter that hide what they await from everyone but the
#: garbage collector: `agen.__anext__()`, `agen.aclose()`, `anext(…)`, `x.__await__()`.
_HIDING = frozenset(
    {
        "async_generator_asend",
        "async_generator_athrow",
        "anext_awaitable",
        "coroutine_wrapper",
    }
)
_EXITS = ("__aexit__", "__exit__")
_look_up = object.__getattribute__


def class_of(owner: Any) -> tuple[Any, str]:
    """Return the module and the name of an object's class."""
    kind = type(owner)
    return _module_of_class(kind), _name_of_class(kind)


def peek(owner: Any, name: str) -> Any:
    """Return a field of an object: its slot or its entry in `__dict__`; else None."""
    for each in _mro_of(type(owner)):
        attributes = _dict_of_class(each)
        if name in attributes:
            found = attributes[name]
            break
    else:
        found = None
    try:
        if type(found) in _IN_C:
            return found.__get__(owner)
        if found is not None and _is_a_program(found):
            return None
        # No more than a look into the dictionary: `__getattr__` is not asked.
        return _look_up(owner, name)
    except AttributeError:
        return None


def _is_a_program(attribute: Any) -> bool:
    """Say whether to read what a class has there would be to call somebody's code."""
    return any("__get__" in _dict_of_class(each) for each in _mro_of(type(attribute)))


def step_in(awaited: Any) -> tuple[CodeType | str, Any, Any] | None:
    """Return what is known of an awaited object: its code, itself, and what it awaits.

    Coroutines in C have a name in place of the code. None at the end of the chain:
    a future, or an awaitable of somebody's own making.
    """
    for _ in range(4):
        kind = type(awaited)
        if kind is CoroutineType:
            return awaited.cr_code, awaited, awaited.cr_await
        if kind is GeneratorType:
            return awaited.gi_code, awaited, awaited.gi_yieldfrom
        if kind is AsyncGeneratorType:
            return awaited.ag_code, awaited, awaited.ag_await
        if _name_of_class(kind) in _HIDING:
            awaited = next(filter(_can_await, referents_of(awaited)), None)
        elif type(_dict_of_class(kind).get("cr_await")) in _IN_C:
            # Cython's: uvloop, asyncpg.
            return str(awaited.__qualname__), awaited, awaited.cr_await
        else:
            return None
    return None


def _can_await(found: Any) -> bool:
    kind = type(found)
    return (
        kind in (CoroutineType, GeneratorType, AsyncGeneratorType)
        or _name_of_class(kind) in _HIDING
        or type(_dict_of_class(kind).get("cr_await")) in _IN_C
    )


def frame_of(coro: Any) -> FrameType | None:
    """Return the frame of what `step_in` has returned, unless it is in C."""
    kind = type(coro)
    frame = None
    if kind is CoroutineType:
        frame = coro.cr_frame
    elif kind is GeneratorType:
        frame = coro.gi_frame
    elif kind is AsyncGeneratorType:
        frame = coro.ag_frame
    return frame


def locals_of(coro: Any, code: CodeType | str) -> list[Any]:
    """Return a suspended coroutine's locals in the order of `co_varnames`.

    Those that are not bound are left out, so an index is only good for arguments
    and for what is surely bound; what is being evaluated comes last. Of a
    coroutine in C, everything that it refers to, in no order.
    """
    found = referents_of(coro)
    if type(code) is str:
        return [each for scope in found for each in (scope, *referents_of(scope))]
    # What stands before it is the interpreter's own: no `__eq__` is ours to fear.
    del found[: found.index(code, 1) + 1]
    for index, each in enumerate(found):
        if type(each) is CellType:
            found[index] = _inside(each)
    return found


def closed_over(coro: Any, name: str) -> Any:
    """Return a variable of the function around a coroutine's; None if there is none."""
    for each in referents_of(coro):
        if type(each) is FunctionType:
            return variable_of(each, name)
    return None


def variable_of(function: Any, name: str) -> Any:
    """Return what a function has closed over by that name, or None."""
    if type(function) is not FunctionType:
        return None
    cells = dict(
        zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    )
    return _inside(cells[name]) if name in cells else None


def _inside(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def exits_of(values: list[Any]) -> Iterator[Any]:
    """Yield whose `async with` or `with` blocks a coroutine is in, given its locals.

    The interpreter keeps their bound `__aexit__` on its stack until the block ends.
    """
    for each in values:
        if type(each) is MethodType:
            function = each.__func__
            if type(function) is FunctionType and function.__name__ in _EXITS:
                yield each.__self__
