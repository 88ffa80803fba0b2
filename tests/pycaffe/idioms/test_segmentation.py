"""What evaluations of segmentation do: FCN's and DeepLab's scripts."""

import os

import numpy as np
import pytest
from PIL import Image

CLASSES = 3


def load(shape=(12, 12)):
    in_ = np.array(Image.open("cat.jpg").resize(shape[::-1]), dtype=np.float32)[:, :, ::-1]
    in_ -= np.array((104.00698793, 116.66876762, 122.67891434))
    return in_.transpose((2, 0, 1))


def fast_hist(a, b, n):
    k = (a >= 0) & (a < n)
    return np.bincount(n * a[k].astype(int) + b[k], minlength=n**2).reshape(n, n)


@pytest.fixture
def net(caffe):
    net = caffe.Net("seg.prototxt", caffe.TEST)
    net.params["upscore"][0].data[...] = np.random.default_rng(0).random((3, 3, 4, 4))
    return net


def test_infer(net):
    in_ = load((9, 11))
    net.blobs["data"].reshape(1, *in_.shape)
    net.blobs["data"].data[...] = in_
    net.forward()
    out = net.blobs["score"].data[0].argmax(axis=0)
    assert out.shape == (9, 11)
    Image.fromarray(out.astype(np.uint8)).save("out.png")


def test_score(net):
    """FCN's compute_hist."""
    hist = np.zeros((CLASSES, CLASSES))
    label = np.array(Image.open("label.png"))
    for _ in range(2):
        net.blobs["data"].data[...] = load()
        net.forward()
        hist += fast_hist(label.flatten(), net.blobs["score"].data[0].argmax(0).flatten(), CLASSES)
    assert hist.sum() == 2 * 144
    with np.errstate(divide="ignore", invalid="ignore"):
        iu = np.diag(hist) / (hist.sum(1) + hist.sum(0) - np.diag(hist))
    assert 0 <= np.nanmean(iu) <= 1


def test_score_by_channels_of_a_blob(net):
    net.forward()
    assert net.blobs["score"].channels == CLASSES
    n_cl = net.blobs["score"].channels
    assert net.blobs["score"].data[0].argmax(0).max() < n_cl


def test_palette(net):
    net.forward(data=load()[np.newaxis])
    im = Image.fromarray(net.blobs["score"].data[0].argmax(0).astype(np.uint8), mode="P")
    im.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    im.save(os.path.join(".", "000001.png"))
    assert Image.open("000001.png").mode == "P"


def test_deeplab_padding(net):
    """DeepLab's deploy: images padded to one size, scores cut to the image's."""
    image = load((9, 10))
    padded = np.zeros((3, 12, 12), np.float32)
    padded[:, : image.shape[1], : image.shape[2]] = image
    net.blobs["data"].data[0] = padded
    net.forward()
    prediction = net.blobs["score"].data[0].transpose(1, 2, 0)[:9, :10].argmax(axis=2)
    assert prediction.shape == (9, 10)


def test_scores_as_mat(net):
    scipy_io = pytest.importorskip("scipy.io")
    net.forward(data=load()[np.newaxis])
    scipy_io.savemat("scores.mat", {"data": net.blobs["score"].data.transpose(3, 2, 1, 0)})
    assert scipy_io.loadmat("scores.mat")["data"].shape[:3] == (12, 12, 3)


def test_multi_scale(net):
    total = np.zeros((CLASSES, 12, 12))
    for scale in (0.5, 1, 2):
        size = int(12 * scale)
        net.blobs["data"].reshape(1, 3, size, size)
        net.reshape()
        net.blobs["data"].data[...] = load((size, size))
        scores = net.forward()["score"][0]
        assert scores.shape == (CLASSES, size, size)
        rows = (np.arange(12) * scale).astype(int)
        total += scores[:, rows][:, :, rows]
    assert total.argmax(0).shape == (12, 12)


def test_flip(net):
    image = load()
    straight = net.forward(data=image[np.newaxis])["score"].copy()
    flipped = net.forward(data=image[np.newaxis, :, :, ::-1])["score"][..., ::-1]
    assert ((straight + flipped) / 2).shape == (1, CLASSES, 12, 12)


def test_softmax_by_hand(net):
    net.forward(data=load()[np.newaxis])
    scores = net.blobs["score"].data[0]
    probs = np.exp(scores - scores.max(0))
    probs /= probs.sum(0)
    assert np.abs(probs.sum(0) - 1).max() < 1e-5


def test_dense_crf_behind_a_net(net):
    from deeplab_caffe.pydensecrf import densecrf, utils

    net.forward(data=load()[np.newaxis])
    scores = net.blobs["score"].data[0]
    probs = np.exp(scores - scores.max(0))
    probs /= probs.sum(0)
    crf = densecrf.DenseCRF2D(12, 12, CLASSES)
    crf.setUnaryEnergy(utils.unary_from_softmax(probs))
    crf.addPairwiseGaussian(sxy=3, compat=3)
    image = np.ascontiguousarray(np.array(Image.open("cat.jpg").resize((12, 12))))
    crf.addPairwiseBilateral(sxy=50, srgb=5, rgbim=image, compat=10)
    assert np.argmax(crf.inference(5), axis=0).shape == (144,)
