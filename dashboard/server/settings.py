"""Decide where to listen and what to show; from the environment, then from flags.

Reads the environment once, when asked, and touches nothing else. Light to import:
the command line needs it before it knows whether it will start anything.
"""

from __future__ import annotations

import ipaddress
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: As server/model/stalls.py has them, which the command line has no time to import.
STALL_MS_MIN, STALL_MS_MAX = 20.0, 60_000.0
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a start of the dashboard can choose."""

    host: str = "127.0.0.1"
    port: int = 8000
    demo_port: int = 8001
    """Port of the demo app; 0 takes a free one."""
    demo: bool = True
    """Whether to start the demo app, and show its loop only."""
    ring_dir: Path | None = None
    """Where rings are; None leaves the choice to the dashboard."""
    stall_ms: float = 100.0
    """A step that lasts longer is a stall; the page can change it."""
    dumps: bool = True
    """Whether a loop that C code holds may be asked for its stack by a signal."""
    allow_hosts: tuple[str, ...] = ()
    """Names that a browser may know this machine by, beside those of `host`."""
    token: str = ""
    """What the presenter shows when others can reach the page; never logged."""
    otlp: str = ""
    """Where an OpenTelemetry collector takes metrics over HTTP, or nowhere."""
    keep: Path | None = None
    """Where the seconds around what went wrong are kept; None keeps none on disk."""
    keep_stall_ms: float = 200.0
    """A stall this long is kept there,"""
    keep_request_ms: float = 1_000.0
    """and so is a request that took this long."""
    stories: tuple[Path, ...] = ()
    """Files with stories of the user's own."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `LOOPSCOPE_*`, or raise `SettingsError` naming the bad variable.

        An empty variable counts as one that is not set.
        """
        ring_dir = environ.get("LOOPSCOPE_DIR")
        otherwise = cls()
        return cls(
            host=environ.get("LOOPSCOPE_HOST") or otherwise.host,
            port=_port(environ, "LOOPSCOPE_PORT", otherwise.port),
            demo_port=_port(environ, "LOOPSCOPE_DEMO_PORT", otherwise.demo_port),
            demo=_switch(environ, "LOOPSCOPE_DEMO", otherwise.demo),
            ring_dir=Path(ring_dir) if ring_dir else None,
            stall_ms=_stall_ms(environ, "LOOPSCOPE_STALL_MS", otherwise.stall_ms),
            dumps=_switch(environ, "LOOPSCOPE_DUMPS", otherwise.dumps),
            allow_hosts=tuple(environ.get("LOOPSCOPE_ALLOW_HOSTS", "").split()),
            token=environ.get("LOOPSCOPE_TOKEN", ""),
            otlp=_collector(environ, "LOOPSCOPE_OTLP"),
            keep=Path(folder) if (folder := environ.get("LOOPSCOPE_KEEP")) else None,
            stories=_files(environ, "LOOPSCOPE_STORIES"),
        )

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines can reach the page."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"


def parse_port(text: str) -> int:
    """Return the port number in `text`, or raise `SettingsError`."""
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535:
        return int(text)
    raise SettingsError(f"a port is a whole number from 0 to 65535, got {text!r}")


def parse_stall_ms(text: str) -> float:
    """Return the milliseconds in `text`, or raise `SettingsError`."""
    with suppress(ValueError):
        if STALL_MS_MIN <= float(text) <= STALL_MS_MAX:
            return float(text)
    raise SettingsError(
        f"a stall is a number of milliseconds from {STALL_MS_MIN:g} to "
        f"{STALL_MS_MAX:g}, got {text!r}"
    )


def _stall_ms(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        return parse_stall_ms(text)
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None


def parse_count(text: str) -> int:
    """Return the number of processes in `text`, or raise `SettingsError`."""
    if text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 999:
        return int(text)
    raise SettingsError(f"a whole number from 1 to 999, got {text!r}")


def parse_target(text: str) -> str:
    """Return MODULE:APP as it is, or raise `SettingsError` if it is something else."""
    module, _, attribute = text.partition(":")
    names = [*module.split("."), *attribute.split(".")]
    if all(name.isidentifier() for name in names):
        return text
    raise SettingsError(
        f"an app is named MODULE:APP, such as main:app or shop.web:app, got {text!r}"
    )


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    try:
        return parse_port(text)
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None


def parse_collector(text: str) -> str:
    """Return the address in `text`, or raise `SettingsError`."""
    if re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", text):
        return text
    raise SettingsError(
        f"a collector is an address such as http://localhost:4318, got {text!r}"
    )


def _collector(environ: Mapping[str, str], name: str) -> str:
    text = environ.get(name)
    if not text:
        return ""
    try:
        return parse_collector(text)
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None


def _files(environ: Mapping[str, str], name: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in environ.get(name, "").split(os.pathsep) if part)


def _switch(environ: Mapping[str, str], name: str, default: bool) -> bool:
    text = environ.get(name)
    if not text:
        return default
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise SettingsError(f"{name}: it must be 1 or 0, got {text!r}")
