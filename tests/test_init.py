import subprocess
import sys

import pytest

import deeplab_caffe


def test_public_names():
    for name in deeplab_caffe.__all__:
        assert getattr(deeplab_caffe, name).__module__.startswith("deeplab_caffe.")
        assert name in dir(deeplab_caffe)
    with pytest.raises(AttributeError, match="nothing"):
        _ = deeplab_caffe.nothing


def test_command_line_loads_without_torch():
    code = "import sys, deeplab_caffe.commands; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
