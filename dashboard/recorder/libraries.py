"""What the waits of other people's packages say about themselves.

The packages are known by their modules' names and never imported. Of a request to
the outside its method and host are told, never a path, a query, a statement or a
key: a trace must not carry what a user typed.
"""

from __future__ import annotations

from typing import Any

from dashboard.recorder.peek import class_of, closed_over, peek
from dashboard.recorder.primitives import MAX_TEXT, ROLES, Role, Wait

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def role_of(module: str, qualname: str, coro: Any) -> Role | None:
    """Return what it means that a task is suspended in a coroutine, if that is known.

    Asked once for each piece of code; `coro` is the first one that ran it.
    """
    role = ROLES.get(f"{module}:{qualname}" if module else qualname)
    if role is None:
        root, _, rest = module.partition(".")
        ask = _PACKAGES.get(root)
        role = ask(root, rest, qualname) if ask is not None else None
    return role


def _tell_httpx(wait: Wait, found: list[Any]) -> None:
    """Add method and host, from whichever local is the request."""
    for each in found:
        request = each
        if class_of(each)[1] == "Response":
            request = peek(each, "_request")
        if class_of(request)[1] == "Request":
            method = peek(request, "method")
            parsed = peek(peek(request, "url"), "_uri_reference")
            # A named tuple: scheme, userinfo, host, port.
            if type(method) is str and issubclass(type(parsed), tuple):
                host, port = tuple.__getitem__(parsed, 2), tuple.__getitem__(parsed, 3)
                wait.what = f"httpx {method}" if method in METHODS else "httpx"
                wait.text = f"{host}:{port}" if port else str(host)
                wait.text = wait.text[:MAX_TEXT]
            return


_HTTPX = Role("httpx", _tell_httpx)


def _httpx(root: str, module: str, qualname: str) -> Role | None:
    owner, _, method = qualname.rpartition(".")
    if (module, qualname) == ("_client", "AsyncClient.send"):
        return _HTTPX
    if (module, owner) == ("_models", "Response") and method.startswith("a"):
        return _HTTPX
    return None


def _method(root: str, module: str, qualname: str) -> Role | None:
    """`aiosqlite execute`: the public method that the user called."""
    parts = [part for part in qualname.split(".") if part != "<locals>"]
    if parts[-1].startswith("_"):
        return None
    return Role(f"{root} {parts[-1]}")


def _asyncpg(root: str, module: str, qualname: str) -> Role | None:
    if module == "pool":
        return Role("asyncpg pool")
    if module == "cursor":
        return Role("asyncpg cursor")
    return _method(root, module, qualname)


def _psycopg(root: str, module: str, qualname: str) -> Role | None:
    return None if module == "waiting" else _method("psycopg", module, qualname)


def _psycopg_pool(root: str, module: str, qualname: str) -> Role | None:
    return Role("psycopg pool")


def _tell_redis(wait: Wait, found: list[Any]) -> None:
    """Add the command's name, one of a few hundred."""
    args = found[1] if len(found) > 1 else None
    if type(args) is tuple and args and type(args[0]) is str:
        command = args[0].partition(" ")[0]
        if command.isascii() and command.isalpha() and len(command) < 20:
            wait.text = command.upper()


def _redis(root: str, module: str, qualname: str) -> Role | None:
    if qualname.endswith(".execute_command"):
        return Role("redis", _tell_redis)
    if "Pool." in qualname:
        return Role("redis pool")
    return _method(root, module, qualname) if module.startswith("asyncio.c") else None


def _tell_file(wait: Wait, found: list[Any]) -> None:
    """Add which method of the file a thread is at; all of them share their code."""
    name = closed_over(wait.coro, "attr_name")
    if type(name) is str:
        wait.what = f"aiofiles {name}"


def _aiofiles(root: str, module: str, qualname: str) -> Role | None:
    if qualname.endswith("_open"):
        return Role("aiofiles open")
    return Role("aiofiles", _tell_file)


def _uvicorn(root: str, module: str, qualname: str) -> Role | None:
    owner, _, method = qualname.rpartition(".")
    if owner == "RequestResponseCycle" and method == "receive":
        return Role("request body")
    if owner == "FlowControl":
        return Role("socket write")
    if owner.startswith("Lifespan"):
        return Role("lifespan")
    return None


def _starlette(root: str, module: str, qualname: str) -> Role | None:
    # `await call_next(request)` is a memory stream inside; what it means is this.
    if qualname.endswith("BaseHTTPMiddleware.__call__.<locals>.call_next"):
        return Role("call_next")
    return None


_PACKAGES = {
    "aiofiles": _aiofiles,
    "aiosqlite": _method,
    "asyncpg": _asyncpg,
    "httpx": _httpx,
    "httpx2": _httpx,
    "psycopg": _psycopg,
    "psycopg_pool": _psycopg_pool,
    "redis": _redis,
    "starlette": _starlette,
    "uvicorn": _uvicorn,
}
