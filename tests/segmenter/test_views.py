import numpy as np
import pytest
import torch
import torch.nn.functional as F

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.segmenter import views
from deeplab_caffe.segmenter.segmenter import Segmenter

INPUT = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 33, 33] } }
  transform_param { mean_value: 127.5 scale: 0.00784313725490196 channel_order: RGB } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 4 } }
"""
LIKE = INPUT + 'layer { name: "up" type: "Interp" bottom: "c" bottom: "data" top: "up" }'
ZOOM = INPUT + 'layer { name: "up" type: "Interp" bottom: "c" top: "up" interp_param { zoom_factor: 4 } }'


def make(text, **options):
    segmenter = Segmenter(read_net("net.prototxt", text=text), random_weights=True, **options)
    draw = torch.Generator().manual_seed(0)
    for blob in segmenter.net.params["c"]:
        blob.data = torch.randn(blob.shape, generator=draw)
    return segmenter


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (34, 41, 3), dtype=np.uint8)


def resize(x, size):
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def rendered(segmenter, image, scales, flip):
    """The evaluation's steps for LIKE, one by one."""
    weights, bias = (blob.data for blob in segmenter.net.params["c"])
    x = torch.from_numpy((image / 127.5 - 1).transpose(2, 0, 1)[None].astype(np.float32))
    height, width = x.shape[2:]
    maps = []
    for scale in scales:
        view = resize(x, (int((height - 1) * scale + 1), int((width - 1) * scale + 1)))
        for mirrored in (False, True)[: 1 + flip]:
            scores = F.conv2d(view.flip(3) if mirrored else view, weights, bias, 4, 1)
            scores = scores.flip(3) if mirrored else scores
            most = max(1, scale)
            merged = [int((n - 1) * most / 4 + 1) for n in (height, width)]
            maps.append(resize(resize(scores, merged), (height, width)).softmax(1))
    return torch.stack(maps).mean(0)[0].numpy()


@pytest.mark.parametrize(
    ("scales", "flip"), [((1,), True), ((0.5, 0.75, 1, 1.25, 1.75), True), ((0.6,), False)]
)
def test_the_evaluation(image, scales, flip):
    segmenter = make(LIKE, scales=scales, flip=flip)
    scores = segmenter.scores(image)
    assert scores.shape == (4, 34, 41)
    np.testing.assert_allclose(scores, rendered(segmenter, image, scales, flip), atol=2e-6)
    assert (segmenter.labels(image) == scores.argmax(0)).all()


def test_nets_that_need_padding(image):
    """Each view is padded for itself, mirror images at the same side."""
    segmenter = make(ZOOM, scales=(1, 2), flip=True)
    plain = make(ZOOM)
    assert plain.aligned(34) == 37 and not plain.averages
    scores = segmenter.scores(image)
    data = torch.from_numpy(plain.preprocessing.blob(image)[None])
    maps = []
    for view in (data, resize(data, (67, 81))):
        for mirrored in (False, True):
            found = plain.scores_of(view.flip(3) if mirrored else view)
            maps.append(resize(found.flip(3) if mirrored else found, (34, 41)).softmax(1))
    np.testing.assert_allclose(scores, torch.stack(maps).mean(0)[0].numpy(), atol=2e-6)


@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_layers_that_follow_the_size(image, precision):
    """Image pooling and SAME padding of each view are its own, whatever shapes were asked for before."""
    pooled = INPUT.replace("pad: 1", "same_pad: true") + (
        'layer { name: "p" type: "Pooling" bottom: "c" top: "p" '
        "pooling_param { pool: AVE global_pooling: true } }"
        'layer { name: "q" type: "Interp" bottom: "p" bottom: "c" top: "q" }'
        'layer { name: "s" type: "Eltwise" bottom: "c" bottom: "q" top: "s" }'
        'layer { name: "up" type: "Interp" bottom: "s" bottom: "data" top: "up" }'
    )
    segmenter = make(pooled, scales=(0.5, 1, 1.5), flip=True, precision=precision)
    data = torch.from_numpy(segmenter.preprocessing.blob(image)[None])
    maps = []
    for size in ((17, 21), (34, 41), (50, 61)):
        for turn in (lambda x: x, lambda x: x.flip(3)):
            scores = turn(make(pooled).net.forward(data=turn(resize(data, size)), outputs=["s"])["s"])
            scores = resize(scores, (9, 11)) if size[0] < 34 else scores
            maps.append(resize(scores, (34, 41)).softmax(1))
    np.testing.assert_allclose(segmenter.scores(image), torch.stack(maps).mean(0)[0].numpy(), atol=2e-6)


def test_symmetric_images_have_symmetric_scores(image):
    both = np.concatenate([image, image[:, ::-1]], 1)
    scores = make(LIKE, scales=(0.75, 1), flip=True).scores(both)
    np.testing.assert_allclose(scores, scores[:, :, ::-1], atol=1e-5)


def test_errors(image):
    for scales in ((), (0,), (-1,), (float("nan"),), (17,)):
        with pytest.raises(DeepLabError, match="scales"):
            views.checked(scales)
    labels = LIKE + 'layer { name: "a" type: "ArgMax" bottom: "up" top: "a" argmax_param { axis: 1 } }'
    with pytest.raises(DeepLabError, match="two labels"):
        make(labels, flip=True).scores(image)
    assert make(LIKE, scales=(0.001,)).scores(image).shape == (4, 34, 41)
