"""The top-level name caffe: install(), and scripts that know nothing of this package."""

from pathlib import Path

import pytest

from tests import fresh

pytestmark = pytest.mark.slow  # interpreters that load torch

ROOT = Path(__file__).parents[2]
OURS = "deeplab_caffe.pycaffe"

SCRIPT = """
import sys
import caffe
import caffe.proto.caffe_pb2
import caffe._caffe
from caffe.pycaffe import Net, SGDSolver
from caffe.proto import caffe_pb2 as pb2
net = pb2.NetParameter(name="a")
print(sys.argv[1:], caffe.__name__, net.name, caffe.TRAIN == pb2.TRAIN, caffe.TEST == pb2.Phase.Value("TEST"))
"""


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Runs Python in a folder of its own, where another caffe is installed."""
    other = tmp_path / "site/caffe"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{other.parent}")

    def run(*arguments):
        return fresh.run(*arguments, cwd=tmp_path)

    return run


def test_install(python):
    done = python("-c", "import deeplab_caffe.pycaffe as p; p.install(); p.install()\n" + SCRIPT, "x")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"['x'] {OURS} a True True\n"


def test_installed_too_late(python):
    done = python("-c", "import caffe, deeplab_caffe.pycaffe as p; p.install()")
    assert done.returncode == 1
    assert "caffe was imported before from" in done.stderr.splitlines()[-1]


def test_script(python, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT + "from beside import VALUE; print(VALUE); sys.exit(3)")
    (tmp_path / "beside.py").write_text("VALUE = 7")
    done = python("-m", OURS, tmp_path / "script.py", "a", "--help")
    assert (done.returncode, done.stdout) == (3, f"['a', '--help'] {OURS} a True True\n7\n"), done.stderr
    done = python("-m", OURS, "-m", "script", "b")
    assert done.returncode == 3 and done.stdout.startswith("['b']"), done.stderr


def test_child(python, tmp_path):
    child = "import caffe, caffe.proto.caffe_pb2; print(caffe.__name__)"
    (tmp_path / "script.py").write_text(
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    )
    done = python("-m", OURS, "script.py")
    assert (done.returncode, done.stdout) == (0, f"{OURS}\n"), done.stderr


def test_nothing_to_run(python):
    done = python("-m", OURS, "none.py")
    assert (done.returncode, done.stderr) == (2, "none.py: no such script\n")
