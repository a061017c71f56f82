"""Read stories of your own from a Python file: handlers, and a few lines of text.

The text is a list of plain dictionaries named `STORIES`, read without running the
file: only the demo app runs it. What is wrong with a story is one sentence with
file and line, and that story is left out; the rest loads.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.demo.scenario import Others, Parameter, Scenario, Story, shortened
from dashboard.errors import StoryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Names the files, for the demo app's process.
VARIABLE = "LOOPSCOPE_STORIES"
PREFIX = "/yours/"
_STORY_KEYS = {"id", "title", "question", "look", "variants"}
_VARIANT_KEYS = {"id", "handler"}
_MORE_KEYS = {"title", "explain", "params", "size", "others", "state", "status"}
_STATES = ("running", "ready", "waiting", "blocked", "thread", "process")
MAX_SIZE = 100


@dataclass(slots=True)
class Loaded:
    """What was found in the files."""

    stories: list[Story] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def load_files(paths: Iterable[Path], taken: Iterable[str] = ()) -> Loaded:
    """Read all files; `taken` are the ids that exist already."""
    loaded = Loaded()
    ids = set(taken)
    for path in paths:
        for outcome in _read(path, ids):
            if isinstance(outcome, Story):
                loaded.stories.append(outcome)
                ids.add(outcome.id)
                ids.update(variant.id for variant in outcome.variants)
            else:
                loaded.problems.append(outcome)
    return loaded


def named_in(environ: os._Environ[str]) -> list[Path]:
    """Return the files that the environment names."""
    return [Path(name) for name in environ.get(VARIABLE, "").split(os.pathsep) if name]


def _read(path: Path, taken: set[str]) -> Iterator[Story | str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except SyntaxError as error:
        yield f"{path.name}:{error.lineno}: this is not Python: {error.msg}"
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        yield f"{path.name}: its stories cannot be read: {reason}"
        return
    functions = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    found = _find_list(tree)
    if found is None:
        yield f"{path.name}:1: there is no list named STORIES at the top level"
        return
    family = (ast.get_docstring(tree) or path.stem).partition("\n")[0].rstrip(".:")
    for node in found.elts:
        try:
            story = _Reader(path, functions, taken).story(node, family)
        except StoryError as error:
            yield str(error)
        else:
            yield story


def _find_list(tree: ast.Module) -> ast.List | ast.Tuple | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(
            node.value, ast.List | ast.Tuple
        ):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == "STORIES":
                    return node.value
    return None


class _Reader:
    """Read one story of a file; errors know their line."""

    def __init__(self, path: Path, functions: set[str], taken: set[str]) -> None:
        self._path = path
        self._functions = functions
        self._taken = set(taken)

    def story(self, node: ast.expr, family: str) -> Story:
        """Return the story, or raise `StoryError`."""
        fields = self._fields(node, _STORY_KEYS, set(), "a story")
        name = self._id(fields["id"])
        variants = fields["variants"]
        if not isinstance(variants, ast.List | ast.Tuple) or not variants.elts:
            raise self._error(variants, "variants must be a list of at least one")
        return Story(
            name,
            self._text(fields["title"]),
            family,
            self._text(fields["question"]),
            self._text(fields["look"]),
            tuple(
                replace(self._variant(each), story=name, family=family)
                for each in variants.elts
            ),
        )

    def _variant(self, node: ast.expr) -> Scenario:
        fields = self._fields(node, _VARIANT_KEYS, _MORE_KEYS, "a variant")
        name = self._id(fields["id"])
        handler = self._text(fields["handler"])
        if handler not in self._functions:
            raise self._error(
                fields["handler"],
                f"there is no function {shortened(handler)} at the top level",
            )
        values = {key: self._value(fields[key]) for key in _MORE_KEYS & fields.keys()}
        state = values.get("state", "running")
        if state not in _STATES:
            raise self._error(fields["state"], f"state must be one of {_STATES}")
        others = self._count(fields, values, "others", 0)
        return Scenario(
            id=name,
            title=str(values.get("title", handler)),
            subtitle="",
            family="",
            state=state,
            path=PREFIX + name,
            handler=f"{self._path.resolve()}:{handler}",
            params=self._params(fields.get("params")),
            size=self._count(fields, values, "size", 1),
            others=Others(count=others) if others else None,
            status=self._count(fields, values, "status", 200, most=599),
            explain=str(
                values.get("explain", "{count} requests, {wall} until all were done.")
            ),
        )

    def _params(self, node: ast.expr | None) -> tuple[Parameter, ...]:
        if node is None:
            return ()
        value = self._value(node)
        if isinstance(value, dict):
            found = [_parameter(name, given) for name, given in value.items()]
            if None not in found:
                return tuple(each for each in found if each is not None)
        raise self._error(
            node,
            'params must be like {"seconds": [1, 0, 5]}: '
            "the default, the least and the most",
        )

    def _count(
        self,
        fields: dict[str, ast.expr],
        values: dict[str, Any],
        key: str,
        default: int,
        most: int = MAX_SIZE,
    ) -> int:
        value = values.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            if min(default, 1) <= value <= most:
                return value
        raise self._error(
            fields[key],
            f"{key} must be a whole number from {min(default, 1)} to {most}, "
            f"got {shortened(value)}",
        )

    def _fields(
        self, node: ast.expr, needed: set[str], more: set[str], what: str
    ) -> dict[str, ast.expr]:
        if not isinstance(node, ast.Dict):
            raise self._error(node, f"{what} must be a dictionary")
        fields = {
            key.value: value
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
        if missing := needed - fields.keys():
            raise self._error(node, f"{what} needs {', '.join(sorted(missing))}")
        if unknown := fields.keys() - needed - more:
            known = ", ".join(sorted(needed | more))
            raise self._error(
                node, f"{what} has no {sorted(unknown)[0]!r}; it has {known}"
            )
        return fields

    def _id(self, node: ast.expr) -> str:
        name = self._text(node)
        if not name.isidentifier() or name != name.lower():
            raise self._error(
                node, f"an id is made of a-z, 0-9 and _, got {shortened(name)}"
            )
        if name in self._taken:
            raise self._error(node, f"the id {name!r} is taken already")
        self._taken.add(name)
        return name

    def _text(self, node: ast.expr) -> str:
        value = self._value(node)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())
        raise self._error(node, f"this must be text, got {shortened(value)}")

    # Any: what a literal may be.
    def _value(self, node: ast.expr) -> Any:
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, MemoryError, RecursionError):
            raise self._error(
                node, "this must be written out: text, numbers, lists"
            ) from None

    def _error(self, node: ast.expr, sentence: str) -> StoryError:
        return StoryError(f"{self._path.name}:{node.lineno}: {sentence}")


# Any: what stands in a user's file.
def _parameter(name: Any, given: Any) -> Parameter | None:
    if not isinstance(name, str) or not name.isidentifier():
        return None
    if not isinstance(given, list | tuple) or len(given) != 3:
        return None
    if not all(type(number) in (int, float) for number in given):
        return None
    default, least, most = given
    return (
        Parameter(name, default, least, most, "") if least <= default <= most else None
    )
