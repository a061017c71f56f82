"""What a scenario, its parameters and a story are: shapes only, without FastAPI.

One press of a scenario's button sends its *cast*: some requests to its handler,
and often some ordinary ones a moment later, to see what those suffer. Nothing
here sends or measures anything.
"""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dashboard.errors import BadParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["running", "ready", "waiting", "blocked", "thread", "process"]
"""What a scenario is about, and so the colour of its button's edge."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a scenario takes, with the range that keeps it harmless."""

    name: str
    default: float
    minimum: float
    maximum: float
    unit: str

    @property
    def rule(self) -> str:
        """Return the allowed range as a sentence without its end."""
        return (
            f"{self.name} must be a number from "
            f"{self.minimum:g} to {self.maximum:.12g} {self.unit}".rstrip()
        )

    def checked(self, value: object) -> float:
        """Return the value as a float, or raise `BadParameter` naming the range."""
        # A bool is an int to Python and a mistake to everyone else. NaN fails
        # the comparison, so it needs no case of its own.
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if self.minimum <= value <= self.maximum:
                return float(value)
        raise self.refusal(value)

    def refusal(self, value: object) -> BadParameter:
        """Return the error that says why the value cannot be taken."""
        return BadParameter(f"{self.rule}, got {shortened(value)}")


@dataclass(frozen=True, slots=True)
class Others:
    """Ordinary requests that a press sends along, to see what they suffer."""

    count: int = 20
    after_s: float = 0.1
    """How long after the first ones: long enough for those to have begun."""
    path: str = "/fast"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One button: the endpoint that teaches something, and its parameters."""

    id: str
    title: str
    subtitle: str
    family: str
    state: State
    path: str
    """The endpoint's route, as the app names it."""
    handler: str
    """Where the code is, as `module:name`."""
    params: tuple[Parameter, ...] = ()
    helpers: tuple[str, ...] = ()
    """What the handler uses that one must see as well, as `module:name`."""
    address: str = ""
    """Where to send requests, if that is not the route as it stands."""
    size: int = 1
    """How many requests to the handler one press sends."""
    gap_s: float = 0.0
    """How long after each other, rather than all at once."""
    others: Others | None = None
    status: int = 200
    """What it answers when all is as it should be."""
    stage: str = "main"
    """Which server: the demo app itself, or a variety of it that is started for this."""
    needs: str = ""
    """What must be installed or set up first, by its name in `extras`."""
    explain: str = ""
    """What happened, with `{names}` of facts that are measured each time."""
    story: str = ""
    """Id of the story that it is a variant of."""

    def parameter(self, name: str) -> Parameter:
        """Return the parameter of that name, or raise `BadParameter`."""
        for parameter in self.params:
            if parameter.name == name:
                return parameter
        known = ", ".join(parameter.name for parameter in self.params)
        raise BadParameter(
            f"{self.id} has no parameter {shortened(name)}; "
            + (f"it takes {known}" if known else "it takes none")
        )

    def query(self, given: Mapping[str, object]) -> dict[str, float]:
        """Return every parameter's checked value, the default where none is given."""
        for name in given:
            self.parameter(name)
        return {
            parameter.name: parameter.checked(
                given.get(parameter.name, parameter.default)
            )
            for parameter in self.params
        }

    def source(self) -> str:
        """Return the handler's real code, decorator included, without running it."""
        return read_code(self.handler).code


@dataclass(frozen=True, slots=True)
class Code:
    """A function or class as it stands in its file."""

    file: str
    """Folder and name: enough to find it."""
    line: int
    name: str
    code: str


@dataclass(frozen=True, slots=True)
class Story:
    """A lesson: a question, and variants of one program that answer it."""

    id: str
    title: str
    """The lesson itself: what one knows afterwards."""
    family: str
    question: str
    """What to predict before anything is sent."""
    look: str
    """What to watch meanwhile."""
    variants: tuple[Scenario, ...]
    """The mistake first, then its cure or cures."""


def read_code(place: str) -> Code:
    """Return the code at `module:name` or at `path.py:name`; neither is run.

    A module may need what is not installed: its code can be read all the same.
    """
    where, _, name = place.rpartition(":")
    file = Path(where) if where.endswith(".py") else _file_of(where)
    text = file.read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if getattr(node, "name", None) == name:
            line = min([node.lineno, *(d.lineno for d in _decorators(node))])
            lines = text.splitlines()[line - 1 : node.end_lineno]
            return Code(_short(file), line, name, "\n".join(lines))
    raise LookupError(f"{file.name} has no {name} any more")


def _file_of(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"there is no module {module}")
    return Path(spec.origin)


def _short(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


def _decorators(node: ast.stmt) -> list[ast.expr]:
    return getattr(node, "decorator_list", [])


def seconds(default: float, *, maximum: float = 10) -> Parameter:
    """Return the parameter that most scenarios have."""
    return Parameter("seconds", default, minimum=0, maximum=maximum, unit="s")


def shortened(value: object) -> str:
    """Return the value as text short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
