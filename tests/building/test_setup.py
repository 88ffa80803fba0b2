"""An old Python is told so, in one line."""

import ast
import re
import runpy
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "setup.py"


def test_an_old_python_can_read_it():
    ast.parse(SETUP.read_text(), feature_version=(3, 6))


def test_an_old_python_is_told(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    with pytest.raises(SystemExit, match=r"deeplab_caffe needs Python 3.10 or later; this is Python \d"):
        runpy.run_path(str(SETUP))


def test_a_wheel_holds_every_file_of_the_package():
    """What is no Python needs an entry in package_data."""
    root = SETUP.parent / "deeplab_caffe"
    (data,) = (
        ast.literal_eval(keyword.value)
        for node in ast.walk(ast.parse(SETUP.read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "package_data"
    )
    packed = {
        path
        for package, patterns in data.items()
        for pattern in patterns
        for path in SETUP.parent.joinpath(*package.split(".")).glob(pattern)
    }
    files = {path for path in root.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc", ".so")}
    scripts = {path for path in packed if path.suffix == ".py"}  # in folders that are no packages
    assert files and files == packed - scripts


def test_the_license_is_said_in_a_form_every_setuptools_takes():
    """In [project] those before 77 want a table and later ones a string."""
    project = (SETUP.parent / "pyproject.toml").read_text()
    assert 'dynamic = ["license"]' in project and "\nlicense =" not in project
    assert 'license="BSD-3-Clause"' in SETUP.read_text()


def test_the_changelog_has_the_version():
    project = (SETUP.parent / "pyproject.toml").read_text()
    (version,) = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    headings = re.findall(r"^## (\S+)", (SETUP.parent / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert version in headings
