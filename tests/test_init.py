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


def test_errors_are_one_line_whatever_comes_from_outside():
    from deeplab_caffe.errors import DeepLabError, DeepLabWarning, is_out_of_memory, one_line

    for kind in (DeepLabError, DeepLabWarning):
        assert str(kind("a\nb\x1b[31m\r\u202ec é 漢")) == r"a\nb\x1b[31m\r\u202ec é 漢"
        assert str(kind(kind("a\nb"))) == r"a\nb"
        assert len(str(kind("a" * 10_000_000))) < 200
    assert one_line("a" * 100 + "b" * 100) == "a" * 100 + "b" * 100
    assert one_line("a" * 1000 + "end").endswith("end") and len(one_line("a" * 1000)) < 200
    assert is_out_of_memory(MemoryError()) and not is_out_of_memory(ValueError("out of memory"))
