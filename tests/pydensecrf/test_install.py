"""The top-level name pydensecrf: install(), and scripts that know nothing of this package."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import sys
import pydensecrf
import pydensecrf.densecrf as dcrf
from pydensecrf import eigen, pairwise, unary
from pydensecrf.utils import unary_from_labels
print(sys.argv[1:], dcrf.DenseCRF2D.__module__, pydensecrf.__version__, __name__)
"""
IN_CHILDREN = """
import multiprocessing, subprocess, sys

def module(_):
    from pydensecrf.densecrf import DenseCRF
    return DenseCRF.__module__

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(module, [0])[0])
    code = "import pydensecrf.utils as u; print(u.__name__)"
    print(subprocess.check_output([sys.executable, "-c", code], text=True))
"""
OURS = "deeplab_caffe.pydensecrf"


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Runs Python in a folder of its own, where another pydensecrf is installed."""
    other = tmp_path / "site/pydensecrf"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    (other / "densecrf.py").write_text("class DenseCRF2D: pass")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{other.parent}")

    def run(*arguments):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_install(python):
    done = python("-c", "import deeplab_caffe.pydensecrf as p; p.install(); p.install()\n" + SCRIPT, "x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"['x'] {OURS}.densecrf ")


def test_installed_too_late(python):
    done = python("-c", "import pydensecrf, deeplab_caffe.pydensecrf as p; p.install()")
    assert done.returncode == 1
    assert "pydensecrf was imported before from" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_script(python, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT + "from beside import VALUE; print(VALUE); sys.exit(3)")
    (tmp_path / "beside.py").write_text("VALUE = 7")
    done = python("-m", OURS, tmp_path / "script.py", "a", "--help")
    assert done.returncode == 3, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith(f"['a', '--help'] {OURS}.densecrf ") and first.endswith(" __main__")
    assert second == "7"
    done = python("-m", OURS, "-m", "script", "b")
    assert done.returncode == 3 and done.stdout.startswith("['b']"), done.stderr


@pytest.mark.slow
def test_children(python, tmp_path):
    (tmp_path / "script.py").write_text(IN_CHILDREN)
    done = python("-m", OURS, "script.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"{OURS}.densecrf", f"{OURS}.utils"]


@pytest.mark.slow
def test_nothing_to_run(python):
    done = python("-m", OURS, "none.py")
    assert (done.returncode, done.stderr) == (2, "none.py: no such script\n")
    for name in "none", "none.of_it":
        done = python("-m", OURS, "-m", name)
        assert (done.returncode, done.stderr) == (2, f"{name}: no such module\n")
    done = python("-m", OURS)
    assert done.returncode == 2 and done.stderr.startswith("usage:")
    done = python("-m", OURS, "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage:")
