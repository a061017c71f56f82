"""Join the page's modules into one script, so that a page can be a file of its own.

Each module becomes a function that is called once and gives what it exports: names of
one stay unknown to the others. Knows the forms that our modules use, and no more; the
page that is served live is not touched.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

IMPORT = re.compile(
    r'^import (?:\* as (?P<whole>\w+)|\{(?P<names>[^}]*)\}) from "(?P<path>[^"]+)";\n',
    re.MULTILINE,
)
EXPORT = re.compile(
    r"^export (?=(?:async )?(?:const|class|function\*?) (?P<name>\w+))", re.MULTILINE
)
LEFT_OVER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def join_modules(entry: str, read: Callable[[str], str]) -> str:
    """Return one script that does what the module `entry` and its imports do.

    `read` returns a module's text by its path.

    Raises:
        ValueError: a module uses a form of import or export that is not known here.
    """
    joined: list[str] = []
    numbers: dict[str, int] = {}

    def add(path: str) -> int:
        if path in numbers:
            return numbers[path]
        source = read(path)
        for found in IMPORT.finditer(source):
            add(_beside(path, found["path"]))
        number = numbers[path] = len(numbers) + 1
        names = [found["name"] for found in EXPORT.finditer(source)]
        body = IMPORT.sub(
            lambda found: _binding(found, numbers[_beside(path, found["path"])]), source
        )
        body = EXPORT.sub("", body)
        left = LEFT_OVER.search(body)
        if left is not None:
            raise ValueError(f"{path}: {left[0]!r} is no import or export known here")
        joined.append(
            f"const m{number} = (() => {{\n{body}\nreturn {{ {', '.join(names)} }};\n}})();\n"
        )
        return number

    add(entry)
    return '"use strict";\n' + "".join(joined)


def _beside(path: str, named: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), named))


def _binding(found: re.Match[str], number: int) -> str:
    if found["whole"]:
        return f"const {found['whole']} = m{number};\n"
    names = re.sub(r"\s+as\s+", ": ", found["names"].strip())
    return f"const {{ {names} }} = m{number};\n"
