"""The sdist is complete: everything that git keeps is in it."""

import fnmatch
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# setuptools takes these without being told.
ALWAYS = (
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "LICENSE",
    "README.md",
    "MANIFEST.in",
    "deeplab_caffe/*.py",
)
LEFT_OUT = {".gitignore"}


def packed(name):
    """Whether MANIFEST.in, or setuptools by itself, takes the file."""
    for line in (ROOT / "MANIFEST.in").read_text().splitlines():
        order, *patterns = line.split()
        if order == "graft" and name.startswith(f"{patterns[0]}/"):
            return True
        if order == "include" and any(
            fnmatch.fnmatch(name, p) and name.count("/") == p.count("/") for p in patterns
        ):
            return True
        if order == "recursive-include" and name.startswith(f"{patterns[0]}/"):
            return True
    return any(fnmatch.fnmatch(name, pattern) for pattern in ALWAYS) or name.startswith("deeplab_caffe/")


def test_every_file_is_in_the_sdist():
    """Those of the package are told by package_data: test_setup.py."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout:
        pytest.skip("needs a git checkout")
    assert [name for name in done.stdout.splitlines() if not packed(name)] == sorted(LEFT_OUT)
