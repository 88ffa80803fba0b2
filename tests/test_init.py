import subprocess
import sys
from pathlib import Path

import pytest

import deeplab_caffe


def test_public_names():
    for name in deeplab_caffe.__all__:
        assert getattr(deeplab_caffe, name).__module__.startswith("deeplab_caffe.")
        assert name in dir(deeplab_caffe)
    with pytest.raises(AttributeError, match="nothing"):
        _ = deeplab_caffe.nothing


def test_the_version_is_that_of_the_project():
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert f'name = "deeplab_caffe"\nversion = "{deeplab_caffe.__version__}"' in project
    assert "__version__" in dir(deeplab_caffe)


def test_command_line_loads_without_torch():
    code = "import sys, deeplab_caffe.commands; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
