"""Tell who calls: by which name, and from which web page.

Both servers ask this at their doors. A browser sends whatever the pages that it has
open ask for, so that a server on this machine is not private because it is local.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
EVERY_ADDRESS = frozenset({"0.0.0.0", "::", ""})
_NO_HOST = frozenset("/@?#\\")


class KnownNames:
    """The names by which browsers may call us: `host in names` takes a Host header.

    Who listens on every address is called by any of them: an address can be no
    other site's name, so it is always known then.
    """

    def __init__(self, host: str, more: Iterable[str] = ()) -> None:
        self._is_everywhere = host in EVERY_ADDRESS
        self._names = {_plain(name) for name in (*LOOPBACK_NAMES, host, *more)}
        if self._is_everywhere:
            self._names |= {socket.gethostname().lower()}
        self._names -= EVERY_ADDRESS

    def __contains__(self, header: str) -> bool:
        if _NO_HOST & set(header):
            return False
        try:
            name = _plain(urlsplit(f"//{header}").hostname or "")
        except ValueError:
            return False
        return name in self._names or (self._is_everywhere and _is_address(name))


def is_same_site(scope: Scope) -> bool:
    """Say whether a request comes from our own page, or from no page at all.

    Browsers tell in `Sec-Fetch-Site`; older ones at least send `Origin`. A tool
    such as curl sends neither.
    """
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        # No browser sends an address like this.
        return False


def _plain(name: str) -> str:
    """Return a name as it is compared: small letters, no brackets, addresses short."""
    name = name.strip("[]").lower()
    return str(ipaddress.ip_address(name)) if _is_address(name) else name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
