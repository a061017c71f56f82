"""The stories in the order in which one would teach them; pure data.

One module a family, each a tuple of stories. The handlers that they name are in the
modules of `dashboard.demo`; nothing here imports them.
"""

from __future__ import annotations

from dashboard.demo.library import (
    around,
    neighbours,
    processor,
    servers,
    start,
    threads,
    together,
)

STORIES = (
    *start.STORIES,
    *threads.STORIES,
    *processor.STORIES,
    *neighbours.STORIES,
    *together.STORIES,
    *around.STORIES,
    *servers.STORIES,
)
