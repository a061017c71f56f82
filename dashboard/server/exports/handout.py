"""The page, its data and nothing else as one HTML file: opens anywhere, offline.

Style and script stand in the file, and its policy names them by their hashes: nothing
else runs or loads, whatever the recorded names say.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from dashboard.server.exports.scripts import join_modules

if TYPE_CHECKING:
    from pathlib import Path

SHEET = re.compile(r'\s*<link rel="stylesheet" href="/static/(?P<path>[^"]+)">')
SCRIPT = re.compile(r'<script type="module" src="/static/(?P<path>[^"]+)"></script>')
ICON = re.compile(r'(?<=<link rel="icon" href=")/static/(?P<path>[^"]+)')
#: Where the policy has to stand: before anything that it is about.
FIRST = '<meta charset="utf-8">'


def write_handout(page: str, static: Path, data: str) -> str:
    """Return a page with all that it needs in it.

    `page` is its HTML as served, `static` the folder of its files, `data` JSON.
    """
    sheets = [found["path"] for found in SHEET.finditer(page)]
    style = "\n".join((static / path).read_text() for path in sheets)
    entry = SCRIPT.search(page)
    assert entry is not None, "the page has no script"
    script = join_modules(entry["path"], lambda path: (static / path).read_text())
    for text, name in ((style, "style"), (script, "script")):
        # Neither can be escaped where it stands; ours have no reason to hold these.
        if f"</{name}" in text.lower() or "<!--" in text:
            raise ValueError(f"the {name} of the page would end within itself")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    meta = (
        f'{FIRST}\n    <meta http-equiv="Content-Security-Policy" content="{policy}">'
    )
    # As data, "<" is the only sign that could end it.
    kept = data.replace("<", "\\u003c")
    scripts = (
        f'<script type="application/json" data-part="handout">{kept}</script>\n'
        f'    <script type="module">{script}</script>'
    )
    page = page.replace(FIRST, meta, 1)
    page = ICON.sub(lambda found: _as_data(static / found["path"]), page)
    page = SHEET.sub("", page)
    return SCRIPT.sub(lambda _: f"<style>{style}</style>\n    {scripts}", page)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _as_data(path: Path) -> str:
    encoded = base64.b64encode(path.read_bytes()).decode()
    return f"data:image/svg+xml;base64,{encoded}"
