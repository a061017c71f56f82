"""A file is taken apart a few statements at a time, and nobody can tell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dashboard
from dashboard.server.diagnosis import parse as module
from dashboard.server.diagnosis.parse import parse

FILES = sorted(Path(dashboard.__file__).parent.rglob("*.py"))[::4]
HARD = '''
def goes_on():
    d = 4
# e = 5
    return d
if c:
    f = 6
# or
else:
    f = 7
@decorated
def text():
    return """
begins = "like a statement"
def here(
"""


if text:
    a = [
1,
]
elif not text:
    a = 2
else:
    a = 3
try:
    b = 1 + \\
2
except ValueError:
    pass
finally:
    c = 3
'''


def told(tree):
    """Return all that a tree has, with where it stands."""
    return ast.dump(tree, include_attributes=True)


@pytest.mark.parametrize("piece", [1, 500])
def test_pieces_make_the_whole(monkeypatch, piece):
    """However small the pieces are, the tree is the one of the whole file."""
    monkeypatch.setattr(module, "PIECE", piece)
    for text in [HARD, *(path.read_text() for path in FILES)]:
        assert told(parse(text.split("\n"))) == told(ast.parse(text))


def test_what_is_no_python():
    """What does not parse as a whole has no tree."""
    assert parse(["def f():", "    return 1", "oh no"]) is None
    assert parse(["x = '''", "y = 1"]) is None
    assert parse(["x = '\0'"]) is None


def test_what_is_too_long():
    """A huge file, or a huge statement, is left alone; many small ones are not."""
    statement = [*["x = ["], *["    1,"] * 20_000, "]"]
    assert parse(["x = 1"] * 30_000) is not None
    assert parse(["x = 1"] * 100_000) is None
    assert parse(statement) is None


def test_an_empty_file():
    """An empty file has an empty tree."""
    assert told(parse([])) == told(ast.parse(""))
