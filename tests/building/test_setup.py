"""An old Python is told so, in one line."""

import ast
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
