"""The code around a line: the whole function, and never another file."""

from __future__ import annotations

import pytest

from dashboard.records import FIELD_SEPARATOR
from dashboard.server.diagnosis import sources
from dashboard.server.reading.names import Names, Place

CODE = '''\
import time


class Reports:
    @property
    def total(self):
        """Sum up."""

        def inner():
            return 1

        return inner()


print("done")
'''


def read(place):
    """Read what is around a line of a program that began long after it was written."""
    return sources.read_function(place, began_unix_ns=1 << 62)


@pytest.fixture
def file(tmp_path):
    """A module of the user's."""
    path = tmp_path / "shop" / "reports.py"
    path.parent.mkdir()
    path.write_text(CODE)
    return str(path)


def test_function(file):
    """A line is shown in its function, with the decorators, not indented."""
    found = read(Place(file, 12, "Reports.total"))

    assert found["line"] == 5
    assert found["file"] == "shop/reports.py"
    assert found["code"].splitlines()[0] == "@property"
    assert found["code"].splitlines()[12 - 5] == "    return inner()"


def test_innermost_function(file):
    """Of nested functions the one that the line is in is shown."""
    found = read(Place(file, 10, "inner"))

    assert found["line"] == 9
    assert found["code"] == "def inner():\n    return 1"


def test_no_function(file):
    """A line of the module itself is shown with those around it."""
    found = read(Place(file, 15, "<module>"))

    assert found["code"].endswith('print("done")')
    assert found["line"] == 7


def test_long_function(tmp_path):
    """Of a long function the part around the line is shown."""
    path = tmp_path / "long.py"
    path.write_text("def long():\n" + "    pass\n" * 500)
    found = read(Place(str(path), 300, "long"))

    assert len(found["code"].splitlines()) == sources.MAX_LINES
    assert found["line"] <= 300 < found["line"] + sources.MAX_LINES


@pytest.mark.parametrize(
    ("name", "line"), [("missing.py", 1), ("secret.txt", 1), ("empty.py", 1)]
)
def test_unreadable(tmp_path, name, line):
    """What is no readable Python file, or has no such line, is no code."""
    (tmp_path / "secret.txt").write_text("password")
    (tmp_path / "empty.py").write_text("")

    assert read(Place(str(tmp_path / name), line, "f")) is None


def test_syntax_error(tmp_path):
    """A file that is being edited is shown around its line."""
    path = tmp_path / "edited.py"
    path.write_text("a = 1\ndef (\nb = 2\n")

    assert read(Place(str(path), 3, "f"))["code"].endswith("b = 2")


def test_named_lines_only():
    """A line is found by the words in which it was told, with its whole path."""
    names = Names()
    names.strings += [
        "slow",
        FIELD_SEPARATOR.join(("sleep", "/srv/app/shop.py", "31", "slow")),
        FIELD_SEPARATOR.join(("/srv/app/reports.py", "41", "build")),
    ]

    assert names.find_place("shop.py:31 in slow") == Place(
        "/srv/app/shop.py", 31, "slow"
    )
    assert names.find_place("reports.py:41 in build").file == "/srv/app/reports.py"
    names.strings.append(FIELD_SEPARATOR.join(("resize", "/srv/app/work.py", "7")))
    assert names.find_place("work.py:7 in resize").line == 7
    told = ("never retrieved", "ValueError", "/srv/app/jobs.py", "9", "lose", "lose")
    names.strings.append(FIELD_SEPARATOR.join(told))
    assert names.find_place("jobs.py:9 in lose").file == "/srv/app/jobs.py"
    assert names.find_place("shop.py:32 in slow") is None
    assert names.find_place("slow") is None


def test_changed(file):
    """A file that is younger than the process is told as changed."""
    place = Place(file, 12, "Reports.total")

    assert sources.read_function(place, began_unix_ns=0)["changed"]
    assert not read(place)["changed"]
