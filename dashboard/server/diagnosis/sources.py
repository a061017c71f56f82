"""Read the source around a line: the function that it stands in.

Reads files that a recording has named, and nothing else; never runs any of them.
What cannot be read is told as None: the code of an app on another disk is no error.
"""

from __future__ import annotations

import ast
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dashboard.server.diagnosis.excerpt import read_lines
from dashboard.server.diagnosis.parse import parse

if TYPE_CHECKING:
    from dashboard.server.reading.names import Place

#: The longest excerpt; a function beyond it is shown around its line.
MAX_LINES = 60
#: Around a line that stands in no function.
AROUND_LINES = 8


def read_function(place: Place, *, began_unix_ns: int) -> dict[str, Any] | None:
    """Return `{"file", "line", "function", "code", "changed"}`, or None.

    `line` is the first of `code`; `changed`: the file is younger than the process.
    """
    source = read_lines(place)
    if source is None:
        return None
    lines, changed_ns = source
    path = PurePath(place.file)
    first, code = cut_function(Functions(lines), place.line)
    return {
        "file": f"{path.parent.name}/{path.name}",
        "line": first,
        "function": place.function,
        "code": code,
        "changed": changed_ns > began_unix_ns,
    }


def cut_function(functions: Functions, line: int) -> tuple[int, str]:
    """Return the code of the function around a line, and the number of its first."""
    first, last = functions.around(line)
    if last - first >= MAX_LINES:
        # Its head says whose code it is only when it is in sight anyway.
        first = max(first, line - MAX_LINES // 2)
        last = min(last, first + MAX_LINES - 1)
    lines = functions.lines
    return first, _without_indent(lines[first - 1 : min(last, len(lines))])


class Functions:
    """Where the functions of a file begin and end."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self._all: list[tuple[int, int]] = []
        tree = parse(lines)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                heads = [node.lineno, *(each.lineno for each in node.decorator_list)]
                self._all.append((min(heads), node.end_lineno or node.lineno))

    def __repr__(self) -> str:
        return f"<Functions, {len(self._all)} in {len(self.lines)} lines>"

    def around(self, line: int) -> tuple[int, int]:
        """Return the first and last line of the innermost function around a line."""
        holding = [each for each in self._all if each[0] <= line <= each[1]]
        if not holding:
            return max(1, line - AROUND_LINES), line + AROUND_LINES
        return max(holding, key=lambda each: each[0])


def _without_indent(lines: list[str]) -> str:
    """Take away what all lines are indented by; lines keep their number."""
    filled = [line for line in lines if line.strip()]
    indent = min((len(line) - len(line.lstrip()) for line in filled), default=0)
    return "\n".join(line[indent:] for line in lines)
