"""What some stories need beyond an ordinary install, and how to get it.

Only looks: nothing is imported or connected to.
"""

from __future__ import annotations

import os
from importlib.util import find_spec


def missing(need: str) -> str:
    """Return one sentence on how to get what is needed, or nothing if it is there."""
    if need == "celery" and find_spec("celery") is None:
        return (
            "This one needs Celery: pip install 'loopscope[queue]', then start again."
        )
    if need == "uvloop" and find_spec("uvloop") is None:
        return (
            "This one needs uvloop: pip install 'loopscope[uvloop]', then start again."
        )
    if need == "postgres":
        if find_spec("psycopg") is None or find_spec("asyncpg") is None:
            return (
                "This one needs two drivers: pip install 'loopscope[postgres]', "
                "then start again."
            )
        if not os.environ.get("LOOPSCOPE_POSTGRES"):
            return (
                "This one needs a server: set LOOPSCOPE_POSTGRES to its URL, such as "
                "postgresql://user@localhost/postgres, then start again."
            )
    return ""
