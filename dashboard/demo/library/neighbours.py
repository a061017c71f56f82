"""Files, web services and databases."""

from dashboard.demo.library.telling import OTHERS, story, variant
from dashboard.demo.scenario import Others, Parameter, seconds

FAMILY = "files and services"

_WRITE = {
    "params": (
        Parameter("num_chars", 50_000_000, 1, 100_000_000, "bytes"),
        Parameter("flush", 1, 0, 1, "(1: wait for the disk)"),
    ),
    "size": 5,
    "others": Others(path="/hello", after_s=0.03),
}
_HTTP = {"params": (seconds(1),), "size": 3, "others": OTHERS}
_SQLITE = {
    "params": (Parameter("millions", 3, 1, 20, "million rows"),),
    "size": 2,
    "others": OTHERS,
}
_POSTGRES = _HTTP | {"needs": "postgres"}
_BLOCKS = (
    "{count} requests, {wall} until the last was answered, as each held the loop in "
    "turn: {culprit}. The {others} others waited up to {held}."
)
_FREE = (
    "{count} requests, {wall} until the last was answered, side by side. "
    "The {others} others waited {held} at most."
)

STORIES = (
    story(
        "four_writes",
        "Writing a file blocks as well; `def` is enough",
        variant(
            "write_bad",
            "blocked",
            "async def, write()",
            _BLOCKS,
            at="articles:write_bad",
            uses=("articles:write_to_file",),
            **_WRITE,
        ),
        variant(
            "write",
            "thread",
            "def",
            _FREE,
            at="articles:write",
            uses=("articles:write_to_file",),
            **_WRITE,
        ),
        variant(
            "write_with_thread",
            "thread",
            "to_thread.run_sync",
            _FREE,
            at="articles:write_with_thread",
            uses=("articles:write_to_file",),
            **_WRITE,
        ),
        variant(
            "write_async",
            "thread",
            "aiofiles",
            _FREE + " aiofiles used threads, too: {threads} trips for each request.",
            at="articles:write_async",
            uses=("articles:write_to_file_async",),
            **_WRITE,
        ),
        family=FAMILY,
        question="Four handlers write the same file. One of them stops the others: which?",
        look="the rows of /hello, and where aiofiles does its writing",
    ),
    story(
        "http_client",
        "A sync HTTP client waits for everybody",
        variant(
            "http_sync",
            "blocked",
            "httpx.get",
            _BLOCKS,
            at="neighbours:http_sync",
            **_HTTP,
        ),
        variant(
            "http_async",
            "waiting",
            "httpx.AsyncClient",
            _FREE,
            at="neighbours:http_async",
            **_HTTP,
        ),
        family=FAMILY,
        question="Three requests each ask another service that takes a second. "
        "How long for all three?",
        look="three blocks in a row, or three waits beside each other",
    ),
    story(
        "database_driver",
        "A sync database driver does so, too",
        variant(
            "sqlite_sync",
            "blocked",
            "sqlite3",
            _BLOCKS,
            at="neighbours:sqlite_sync",
            **_SQLITE,
        ),
        variant(
            "sqlite_async",
            "waiting",
            "aiosqlite",
            _FREE,
            at="neighbours:sqlite_async",
            **_SQLITE,
        ),
        variant(
            "postgres_sync",
            "blocked",
            "psycopg",
            _BLOCKS,
            at="neighbours:postgres_sync",
            **_POSTGRES,
        ),
        variant(
            "postgres_async",
            "waiting",
            "asyncpg",
            _FREE,
            at="neighbours:postgres_async",
            **_POSTGRES,
        ),
        family=FAMILY,
        question="Two requests run a query of a second. "
        "What does the driver have to do with all the others?",
        look="what the loop does while the database works",
    ),
)
