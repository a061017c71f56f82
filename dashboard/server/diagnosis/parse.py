"""Take a Python file apart without stopping everybody else.

`ast.parse` keeps the interpreter for itself, a quarter of a second for a file of
5,000 lines: too long in a process that sends frames. So a file is parsed a few
statements at a time, and others run in between.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Characters that are parsed at once, as long as statements are that short.
PIECE = 8_000
#: A statement longer than this, or a file, is not taken apart at all.
MAX_PIECE = 80_000
MAX_TEXT = 400_000
#: What cannot begin a statement, though it stands where one begins; behind a comment
#: at the margin a function may go on.
_GOES_ON = ("else", "elif", "except", "finally", ")", "]", "}", "#")


def parse(lines: Sequence[str]) -> ast.Module | None:
    """Return what `ast.parse` would, or None for what is no Python or too long."""
    if sum(map(len, lines)) > MAX_TEXT:
        return None
    module = ast.Module(body=[], type_ignores=[])
    begin, wanted = 0, PIECE
    while begin < len(lines):
        end = size = 0
        for end in range(begin, len(lines)):
            if size >= wanted and _may_begin(lines[end]):
                break
            size += len(lines[end]) + 1
        else:
            end = len(lines)
        if size > MAX_PIECE:
            return None
        try:
            piece = ast.parse("\n".join(lines[begin:end]))
        except (SyntaxError, ValueError, RecursionError):
            if end == len(lines):
                return None
            # It may end inside of a string: more of it may be right.
            wanted = 2 * size
            continue
        ast.increment_lineno(piece, begin)
        module.body += piece.body
        begin, wanted = end, PIECE
    return module


def _may_begin(line: str) -> bool:
    return line[:1].strip() != "" and not line.startswith(_GOES_ON)
