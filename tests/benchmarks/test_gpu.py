"""The steps for a machine with a GPU name files that are there."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("gpu", [True, False])
def test_files_that_steps_name_are_there(gpu, tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("gpu", ROOT / "benchmarks/gpu.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu", module)
    spec.loader.exec_module(module)
    words = [word for step in module.steps(tmp_path, gpu) for word in step.command]
    named = [word for word in words if word.endswith(".py")]
    assert len(named) > 3 and all((ROOT / word).is_file() for word in named)
