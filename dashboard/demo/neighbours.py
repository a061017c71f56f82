"""Calls to other services: a web service, SQLite, PostgreSQL; sync and async.

The web service is real HTTP, served by a thread of this process, so that it works
offline. PostgreSQL is one of yours, named by `LOOPSCOPE_POSTGRES`.
"""

import os
import sqlite3
from functools import cache
from typing import Annotated

import aiosqlite
import httpx
from fastapi import APIRouter, HTTPException

from dashboard.demo import extras
from dashboard.demo.bounds import bounded, reaching
from dashboard.demo.upstream import Upstream

router = APIRouter(tags=["neighbours"])

Seconds = Annotated[float, bounded("http_sync", "seconds")]
Millions = Annotated[int, bounded("sqlite_sync", "millions")]
#: Counts in SQLite itself, as a query over a large table would.
QUERY = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    SELECT sum(i % 7) FROM n
"""


@cache
def upstream() -> str:
    """Start the other web service, once; return its address."""
    return Upstream().start()


@router.get("/http_sync")
async def http_sync(seconds: Seconds = 1) -> dict[str, object]:
    """Ask another service with a sync client: the loop waits for its answer."""
    response = httpx.get(f"{upstream()}/?seconds={seconds}", timeout=30)
    return {"upstream": response.json()}


@router.get("/http_async")
async def http_async(seconds: Seconds = 1) -> dict[str, object]:
    """Ask it with an async client: only this request waits."""
    async with httpx.AsyncClient(verify=False) as client:
        response = await client.get(f"{upstream()}/?seconds={seconds}", timeout=30)
    return {"upstream": response.json()}


@router.get("/sqlite_sync")
async def sqlite_sync(millions: Millions = 3) -> dict[str, int]:
    """Query SQLite with the standard driver: the loop waits for the rows."""
    db = sqlite3.connect(":memory:")
    total = db.execute(QUERY, [millions * 1_000_000]).fetchone()[0]
    db.close()
    return {"total": total}


@router.get("/sqlite_async")
async def sqlite_async(millions: Millions = 3) -> dict[str, int]:
    """Query it with aiosqlite, which keeps a thread for each connection."""
    async with aiosqlite.connect(":memory:") as db:
        cursor = await db.execute(QUERY, [millions * 1_000_000])
        row = await cursor.fetchone()
    return {"total": row[0] if row else 0}


@router.get("/postgres_sync")
async def postgres_sync(seconds: Seconds = 1) -> dict[str, float]:
    """Query PostgreSQL with psycopg's sync connection: the loop waits."""
    import psycopg

    with reaching("PostgreSQL"), psycopg.connect(postgres_url()) as db:
        db.execute("SELECT pg_sleep(%s)", [seconds])
    return {"waited": seconds}


@router.get("/postgres_async")
async def postgres_async(seconds: Seconds = 1) -> dict[str, float]:
    """Query it with asyncpg: only this request waits."""
    import asyncpg

    with reaching("PostgreSQL"):
        db = await asyncpg.connect(postgres_url())
        await db.execute("SELECT pg_sleep($1)", seconds)
        await db.close()
    return {"waited": seconds}


def postgres_url() -> str:
    """Return where PostgreSQL is, or refuse in a sentence."""
    url = os.environ.get("LOOPSCOPE_POSTGRES")
    if url:
        return url
    raise HTTPException(503, extras.missing("postgres"))
