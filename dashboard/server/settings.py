"""Decide where to listen and what to show; from the environment, then from flags.

Reads the environment once, when asked, and touches nothing else. Light to import:
the command line needs it before it knows whether it will start anything.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        )


def parse_port(text: str) -> int:
    """Return the port number in `text`, or raise `SettingsError`."""
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535:
        return int(text)
    raise SettingsError(f"a port is a whole number from 0 to 65535, got {text!r}")


def port_argument(text: str) -> int:
    """Do what `parse_port` does, with the error that argparse shows as it is."""
    try:
        return parse_port(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    try:
        return parse_port(text)
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None


def _switch(environ: Mapping[str, str], name: str, default: bool) -> bool:
    text = environ.get(name)
    if not text:
        return default
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise SettingsError(f"{name}: it must be 1 or 0, got {text!r}")
