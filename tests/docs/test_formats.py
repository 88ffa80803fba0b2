import importlib
import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/formats.md").read_text()


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.bin", "scores.mat"]


def test_the_functions_are_there():
    named = re.findall(r"`(\w+)\.((?:read|write)_\w+)\(", PAGE)
    assert len(named) == 13
    for module, function in named:
        assert callable(getattr(importlib.import_module(f"deeplab_caffe.formats.{module}"), function))
