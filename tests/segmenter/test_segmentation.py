"""From a photo to labels: the CRF behind the net is the CRF alone, and runs where the net does."""

import numpy as np
import pytest
import torch

from deeplab_caffe import crf
from deeplab_caffe.crf.parameters import AUTHORS, CRFParameters
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.segmenter import segmentation
from deeplab_caffe.segmenter.segmentation import refine_scores, segment
from deeplab_caffe.segmenter.segmenter import Segmenter

NET = """input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "s" type: "Eltwise" bottom: "data" bottom: "data" top: "s" eltwise_param { operation: MAX } }
"""
PARAMETERS = CRFParameters(iterations=3, bi_xy_std=5)


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path / "net.prototxt"


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("flip", [False, True])
def test_the_crf_alone(net, image, flip, order):
    segmenter = Segmenter(net, flip=flip, channel_order=order)
    given = image if order == "rgb" else image[:, :, ::-1]
    scores, labels = segment(segmenter, given)
    assert np.array_equal(scores, segmenter.scores(given)) and np.array_equal(labels, segmenter.labels(given))
    refined = segment(segmenter, given, PARAMETERS)
    expected = crf.refine(image, scores.numpy(), PARAMETERS, kind="probabilities" if flip else "scores")
    assert np.array_equal(refined.scores, expected) and np.array_equal(refined.labels, expected.argmax(0))
    assert refined.labels.dtype == np.uint8


def test_the_crf_runs_where_the_net_does(net, image, device, monkeypatch):
    expected = segment(Segmenter(net), image, PARAMETERS)
    models, build = [], segmentation.image_crf
    monkeypatch.setattr(
        segmentation, "image_crf", lambda *a, **b: models.append(build(*a, **b)) or models[-1]
    )
    with device.kernels():
        segmenter = Segmenter(net, device="cpu" if device.emulated else "cuda")
        scores, labels = segment(segmenter, image, PARAMETERS)
    assert models[0].backend.takes_images and models[0].device.type == scores.device.type
    assert np.array_equal(scores.cpu(), expected.scores) and np.array_equal(labels, expected.labels)


def test_one_label(image):
    with pytest.raises(DeepLabError, match="at least two labels"):
        refine_scores(image, torch.zeros(1, 6, 9), PARAMETERS)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", ["scores", "probabilities"])
def test_scores_on_a_gpu_are_refined_there(kind):
    image = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    scores = torch.softmax(torch.rand(5, 64, 80, generator=torch.Generator().manual_seed(0)) * 4, 0)
    marginals, labels = refine_scores(image, scores, AUTHORS, kind)
    on_gpu, same = refine_scores(image, scores.cuda(), AUTHORS, kind)
    assert on_gpu.is_cuda and np.array_equal(on_gpu.cpu(), marginals) and np.array_equal(same, labels)
