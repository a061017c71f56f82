"""Stories of one's own: the documented example works, and mistakes are told by line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dashboard
from dashboard.demo.scenario import read_code
from dashboard.demo.stories import OURS
from dashboard.demo.yours import load_files

README = (Path(dashboard.__file__).parents[1] / "README.md").read_text()
EXAMPLE = next(
    block
    for block in re.findall(r"```python\n(.*?)```", README, re.S)
    if "STORIES" in block
)


@pytest.fixture
def write(tmp_path):
    """Write a story file."""

    def write(text, name="shop.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def story(name="mine", handler="pay", **variant):
    """Return a story as one would write it."""
    first = {"id": f"{name}_a", "handler": handler, **variant}
    return {
        "id": name,
        "title": "t",
        "question": "q",
        "look": "l",
        "variants": [first],
    }


def file_of(*stories, before="async def pay():\n    return 1\n"):
    """Return a file with these stories, the list beginning on line 3."""
    lines = ",\n".join(map(repr, stories))
    return f"{before}STORIES = [\n{lines}\n]\n"


def test_example_is_read(write):
    """The README's example is two variants of a story, with the code of its handlers."""
    loaded = load_files([write(EXAMPLE)], OURS.ids)

    assert loaded.problems == []
    [found] = loaded.stories
    assert (found.id, found.family) == ("checkout", "Our shop")
    assert [variant.id for variant in found.variants] == [
        "checkout_blocking",
        "checkout_awaiting",
    ]
    blocking = found.variants[0]
    assert blocking.others.count == 20
    assert blocking.query({"seconds": 5}) == {"seconds": 5}
    assert "time.sleep(seconds)" in read_code(blocking.handler).code
    assert read_code(blocking.handler).line == 7


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def f(:\n", "shop.py:1: this is not Python: "),
        ("x = 1\n", "shop.py:1: there is no list named STORIES"),
        (file_of(story(handler="pya")), "shop.py:4: there is no function 'pya'"),
        (file_of(story(name="blocking")), "shop.py:4: the id 'blocking' is taken"),
        (file_of(story(), story()), "shop.py:5: the id 'mine' is taken already"),
        (file_of(story(name="No!")), "shop.py:4: an id is made of a-z, 0-9 and _"),
        (file_of({"id": "x"}), "shop.py:4: a story needs look, question, title"),
        (file_of(story() | {"titel": "t"}), "shop.py:4: a story has no 'titel'"),
        (file_of(story(siez=3)), "shop.py:4: a variant has no 'siez'"),
        (file_of(story(size=0)), "shop.py:4: size must be a whole number from 1"),
        (file_of(story(params={"n": [1, 2, 3]})), "shop.py:4: params must be like"),
        (file_of(story(params=[1])), "shop.py:4: params must be like"),
        (file_of(story(state="red")), "shop.py:4: state must be one of"),
        (file_of(story(title=7) | {"title": 7}), "shop.py:4: this must be text, got 7"),
        (file_of("story"), "shop.py:4: a story must be a dictionary"),
        ("STORIES = [\n  make()\n]", "shop.py:2: a story must be a dictionary"),
    ],
)
def test_mistake(write, text, sentence):
    """A mistake is one sentence with file and line."""
    loaded = load_files([write(text)], OURS.ids)

    [problem] = loaded.problems
    assert problem.startswith(sentence)
    assert "\n" not in problem


def test_the_rest_loads(write):
    """What is wrong with one story or file does not keep the others away."""
    bad = write("def f(:\n", "bad.py")
    good = write(file_of(story("one", handler="nobody"), story("two")))

    loaded = load_files([bad, good.with_name("none.py"), good], OURS.ids)

    assert [each.id for each in loaded.stories] == ["two"]
    assert [problem.partition(":")[0] for problem in loaded.problems] == [
        "bad.py",
        "none.py",
        "shop.py",
    ]


def test_reading_runs_nothing(write, tmp_path):
    """The file is read, not run: the dashboard's process never runs a user's code."""
    mark = tmp_path / "ran"
    text = file_of(story(), before=f"open({str(mark)!r}, 'w')\nasync def pay(): ...\n")

    assert len(load_files([write(text)]).stories) == 1
    assert not mark.exists()


def test_on_the_real_product(write, start):
    """The example's button sends real requests, and tells what was measured of them;
    a file that cannot be run answers with its line, and one that is none is named."""
    raises = write(
        file_of(story("broken"), before="import nowhere\nasync def pay(): ...\n"),
        "raises.py",
    )
    flags = [
        flag
        for path in (write(EXAMPLE), raises, write("(", "bad.py"))
        for flag in ("--stories", str(path))
    ]
    product = start(*flags)
    listed = product.get("/api/scenarios")
    blocking = product.press("checkout_blocking", seconds=0.5)
    awaiting = product.press("checkout_awaiting", seconds=0.5)
    broken = product.outcome("broken_a")
    notices = product.get("/api/state")["notices"]
    status, refusal = product.post("checkout_blocking", seconds=6)

    assert listed["stories"][-2]["id"] == "checkout"
    assert "shop.py:8 in pay_blocking held the loop" in blocking["explanation"]
    assert awaiting["facts"]["held_ms"] < blocking["facts"]["held_ms"] / 2
    assert broken["trouble"] == "raises.py:1: No module named 'nowhere'"
    assert [each for each in notices if each.startswith("bad.py:1: this is not Python")]
    assert status == 422
    assert refusal["detail"].startswith("seconds must be a number from 0 to 5")
