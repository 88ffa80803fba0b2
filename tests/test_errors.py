"""What happens where optional packages are missing: one line that says what to install."""

import re
import subprocess
import sys

import pytest

from deeplab_caffe.errors import missing_package

# Hides packages: those for whose name the condition holds.
HIDE = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root not in sys.stdlib_module_names and {condition}:
            raise ModuleNotFoundError(f"No module named {{root!r}}", name=root)
sys.meta_path.insert(0, Hide())
"""
CRF = """
import numpy as np
from deeplab_caffe import DenseCRF
from deeplab_caffe.crf import refine
import deeplab_caffe.pydensecrf.densecrf as dcrf
from deeplab_caffe.pydensecrf import utils
image, scores = np.zeros((5, 6, 3), np.uint8), np.ones((3, 5, 6), np.float32)
assert refine(image, scores).shape == (3, 5, 6)
crf = dcrf.DenseCRF2D(6, 5, 3)
crf.setUnaryEnergy(utils.unary_from_softmax(scores / 3))
crf.addPairwiseBilateral(sxy=9, srgb=5, rgbim=image, compat=4)
assert np.array(crf.inference(2)).shape == (3, 30)
"""
BUT_NUMPY = "root not in ('numpy', 'deeplab_caffe') and root[0] != '_'"
# What [cli] does not bring.
BUT_CLI = "root in ('torch', 'google', 'jinja2', 'networkx', 'h5py', 'matplotlib', 'scipy')"


def run(condition, code):
    text = HIDE.format(condition=condition) + code
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_crf_wants_numpy_alone():
    done = run(BUT_NUMPY, CRF)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["Net", "Segmenter", "atrous_conv2d", "read_image"])
def test_a_public_name_says_what_it_needs(name):
    done = run(BUT_NUMPY, f"from deeplab_caffe import {name}")
    package, extra = ("pillow", "cli") if name == "read_image" else ("torch", "torch")
    assert done.stderr.endswith(
        f"ModuleNotFoundError: {name} needs {package}: pip install 'deeplab_caffe[{extra}]'\n"
    )
    assert "During handling" not in done.stderr


def test_the_command_line_without_its_packages():
    done = run(BUT_NUMPY, "from deeplab_caffe.__main__ import main; sys.exit(main(['--help']))")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == (
        "error: deeplab-caffe needs typer: pip install 'deeplab_caffe[cli]' for crf and refine-pascal, "
        "pip install 'deeplab_caffe[torch]' for all\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["demo"], ["inspect", "--model", "deeplab_v1/largefov"]])
def test_verbs_of_nets_without_torch(arguments):
    done = run(BUT_CLI, f"from deeplab_caffe.__main__ import main; sys.exit(main({arguments}))")
    assert done.returncode == 2
    assert re.fullmatch(
        r"error: this needs (torch|protobuf): pip install 'deeplab_caffe\[torch\]'\n", done.stderr
    )


@pytest.mark.slow
def test_verbs_of_the_crf_without_torch(tmp_path):
    code = f"""
import numpy as np
from PIL import Image
Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save("{tmp_path}/image.png")
np.save("{tmp_path}/scores.npy", np.ones((3, 5, 6), np.float32))
from deeplab_caffe.__main__ import main
files = "--image {tmp_path}/image.png --scores {tmp_path}/scores.npy --map {tmp_path}/map.png"
sys.exit(main(["crf", *files.split()]))
"""
    done = run(BUT_CLI, code)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "map.png").exists()


def test_other_modules_are_no_optional_packages():
    assert missing_package(ModuleNotFoundError("", name="nonsense")) is None
    line = missing_package(ModuleNotFoundError("", name="matplotlib.figure"), "eval")
    assert line == "eval needs matplotlib: pip install 'deeplab_caffe[plots]'"
