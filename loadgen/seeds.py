"""The article's experiment: `/hello` together with one of four ways to write a file.

"Concurrency in FastAPI" (Alexander Vera): 100 users, one more each second, requests a
second as a function of active users. Starts the demo app by itself when none is named.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from loadgen.errors import StartError, UsageError
from loadgen.plan import Target, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Name, path, and the article's requests a second at the height of the load.
ARTICLE = (
    ("def", "/write", 550.0),
    ("async def, blocking", "/write_bad", 205.0),
    ("to_thread", "/write_with_thread", 540.0),
    ("aiofiles", "/write_async", 470.0),
)
#: Written and flushed to the disk, it takes some 10 ms, as the article's 205 requests a
#: second tell of its own: half of them are writes that nothing can overtake.
NUM_CHARS = 8_000_000
PUBLISHED = {name: rps for name, _, rps in ARTICLE}


def variants(
    base: str,
    only: Sequence[str] = (),
    *,
    num_chars: int = NUM_CHARS,
    flush: bool = True,
) -> tuple[Variant, ...]:
    """Return the four variants against an address, or some of them by path."""
    known = [path.removeprefix("/") for _, path, _ in ARTICLE]
    for name in only:
        if name not in known:
            raise UsageError(
                f"there is no variant {name[:40]!r}; there are {', '.join(known)}"
            )
    return tuple(
        Variant(
            name,
            (
                Target(f"{base}/hello"),
                Target(f"{base}{path}?num_chars={num_chars}&flush={flush:d}"),
            ),
        )
        for name, path, _ in ARTICLE
        if not only or path.removeprefix("/") in only
    )


def check_offers(base: str, wanted: Sequence[Variant]) -> None:
    """Raise `StartError` unless the app there answers to all that will be asked."""
    try:
        answer = httpx.get(f"{base}/openapi.json", timeout=10)
        offered = set(answer.json()["paths"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise StartError(
            f"{base} is not the demo app ({type(error).__name__}); "
            "start it with python -m dashboard.demo"
        ) from None
    paths = {urlsplit(target.url).path for each in wanted for target in each.targets}
    if missing := sorted(paths - offered):
        raise StartError(f"the app at {base} has no {', '.join(missing)}")


@contextmanager
def demo_app() -> Iterator[str]:
    """Run the demo app as a child process; give its address."""
    with (
        tempfile.TemporaryDirectory(prefix="loadgen-") as folder,
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "dashboard.demo",
                "--port",
                "0",
                "--die-with-parent",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
            env=os.environ | {"LOOPSCOPE_DIR": folder},
            # Ctrl-C in the terminal is for us: there is a report to finish.
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url.startswith("http"):
                raise StartError("the demo app did not start")
            yield url
        finally:
            process.terminate()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                # Its loop may be blocked: that is what it is for.
                process.kill()
