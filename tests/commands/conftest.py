import json

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.commands import main
from tests.crf.cases import problem
from tests.datasets.conftest import (  # noqa: F401
    camvid_root,
    cityscapes_root,
    context_root,
    small_voc,
    voc_root,
)

# Scores = the image's own three channels: a net without weights.
NET = """name: "copy"
input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "scores" type: ELTWISE bottom: "data" bottom: "data" top: "scores"
  eltwise_param { operation: MAX } }
"""


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


@pytest.fixture
def crf_case(tmp_path):
    """A folder with an image and its energies, and both."""
    image, unary = problem()
    Image.fromarray(image).save(tmp_path / "a.png")
    np.save(tmp_path / "unary.npy", unary)
    return tmp_path, image, unary


@pytest.fixture
def fails(capsys):
    """Runs a command that must end with one line on stderr and code 2; returns the line."""

    def run(*arguments):
        assert main([str(a) for a in arguments]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ") and captured.err.count("\n") == 1, captured.err
        assert captured.out == ""
        return captured.err

    return run


@pytest.fixture
def succeeds(capsys):
    """Runs a command that must end with code 0; returns stdout, parsed if it is JSON."""

    def run(*arguments):
        code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return json.loads(captured.out) if captured.out[:1] in "[{" and captured.out else captured.out

    return run
