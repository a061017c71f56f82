"""What is installed is complete: code, page, types, command, licence."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parent.parent
PAGE_FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("static", "templates")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file()
]


def call(*command, **more):
    """Run a command; show what it said if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the source distribution, and the wheel from that."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation"]
    call(*build, "--outdir", str(folder), str(ROOT))
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    """Give the wheel."""
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(request, tmp_path_factory):
    """Give the folder of commands of a clean environment with the project in it."""
    venv = tmp_path_factory.mktemp(request.param)
    call(sys.executable, "-m", "venv", "--without-pip", str(venv))
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    if request.param == "wheel":
        # With all that it says it needs, and nothing else.
        call(*pip, str(request.getfixturevalue("wheel")))
    else:
        # What it needs is ours.
        (packages,) = venv.glob("lib/*/site-packages")
        (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
        call(*pip, "--no-deps", "--editable", str(ROOT))
    return venv / "bin"


def test_wheel_contents(wheel):
    """The wheel has the page beside the code, and nothing else at its top."""
    names = zipfile.ZipFile(wheel).namelist()

    assert {f"dashboard/{name}" for name in PAGE_FILES} <= set(names)
    assert {
        "dashboard/py.typed",
        "dashboard/__main__.py",
        "loadgen/__main__.py",
    } <= set(names)
    tops = {name.partition("/")[0] for name in names}
    assert {"dashboard", "loadgen"} >= {
        top for top in tops if not top.endswith(".dist-info")
    }
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_sdist_contents(built):
    """The source distribution can be built and tested from, and has no caches."""
    (found,) = built.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]

    for name in ("pyproject.toml", "Makefile", "README.md", "tests/test_package.py"):
        assert name in names
    assert set(PAGE_FILES) <= set(names)
    assert [name for name in names if "__pycache__" in name or ".venv" in name] == []


def test_serves(installed, tmp_path):
    """The installed command serves the page and everything that the page needs."""
    environ = {"PATH": os.environ["PATH"], "LOOPSCOPE_DIR": str(tmp_path)}
    with subprocess.Popen(
        [str(installed / "loopscope"), "--port", "0", "--demo-port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environ,
    ) as process:
        try:
            page = process.stdout.readline().split()[-1]
            with urllib.request.urlopen(page, timeout=30) as response:
                assert b"<html" in response.read().lower()
            for name in PAGE_FILES:
                if name.startswith("static/"):
                    with urllib.request.urlopen(f"{page}/{name}", timeout=30) as answer:
                        assert (ROOT / name).read_bytes() == answer.read()
        finally:
            process.terminate()


def test_recorder_alone(installed, tmp_path):
    """The public surface can be imported without anything heavy."""
    code = "import dashboard, sys; print('fastapi' in sys.modules, dashboard.__all__)"

    found = call(str(installed / "python"), "-c", code, cwd=tmp_path)

    assert found == "False ['__version__', 'mark', 'observe', 'phases', 'record']\n"
