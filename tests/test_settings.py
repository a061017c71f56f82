"""Settings come from the environment, and bad ones are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.errors import SettingsError
from dashboard.server.settings import Settings, parse_port


def test_defaults():
    """An empty environment gives the documented ports on this machine only."""
    expected = Settings("127.0.0.1", 8000, 8001, True, None, 100.0, True)

    assert expected == Settings.from_env({})


def test_everything_set():
    """Every variable is read."""
    environ = {
        "LOOPSCOPE_HOST": "::1",
        "LOOPSCOPE_PORT": "0",
        "LOOPSCOPE_DEMO_PORT": "65535",
        "LOOPSCOPE_DEMO": "off",
        "LOOPSCOPE_DIR": "/tmp/rings",
        "LOOPSCOPE_STALL_MS": "50.5",
        "LOOPSCOPE_DUMPS": "no",
    }

    settings = Settings.from_env(environ)

    rings = Path("/tmp/rings")
    assert Settings("::1", 0, 65535, False, rings, 50.5, False) == settings


def test_empty_is_unset():
    """A variable that is set to nothing counts as not set."""
    names = ["HOST", "PORT", "DEMO_PORT", "DEMO", "DIR", "STALL_MS", "DUMPS"]

    assert Settings() == Settings.from_env({f"LOOPSCOPE_{name}": "" for name in names})


@pytest.mark.parametrize("text", ["", "-1", "65536", "8000.0", "0x10", "٣", "9" * 5000])
def test_bad_port(text):
    """What is not a port is refused, and shown."""
    with pytest.raises(SettingsError, match="whole number from 0 to 65535"):
        parse_port(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOOPSCOPE_PORT", "http"),
        ("LOOPSCOPE_DEMO_PORT", "70000"),
        ("LOOPSCOPE_DEMO", "maybe"),
    ],
)
def test_bad_variable(name, value):
    """The error names the variable and its value."""
    with pytest.raises(SettingsError, match=f"{name}: .*'{value}'"):
        Settings.from_env({name: value})
