"""Whole nets against the original programs: every top of every layer, to the last bit.

tests/golden/nets holds the small cases; the large ones are read from ../shared/reference, or the folder that
DEEPLAB_CAFFE_REFERENCE names, where it is there.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.random_weights import random_weights
from tests.reference_nets import LARGE, REFERENCE, needs_reference

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parents[1] / "golden/nets"


def sha256(tensor):
    return hashlib.sha256(np.ascontiguousarray(tensor.cpu().numpy(), "<f4").tobytes()).hexdigest()


class Expected:
    """An on_layer callback that compares each top with what the original had there."""

    def __init__(self, entries):
        self.entries = {(entry["layer"], entry["blob"]): entry for entry in entries}

    def __call__(self, index, layer, tops):
        for blob, tensor in tops.items():
            entry = self.entries.pop((layer.name, blob))
            assert list(tensor.shape) == entry["shape"], (layer.name, blob)
            assert sha256(tensor) == entry["sha256"], (layer.name, blob)


def check(case, weights, **options):
    """Runs a case layer by layer, then as users do (with fusion), and compares. options: of Net."""
    expected = json.loads((case / "expected.json").read_text())
    net = Net(case / "net.prototxt", weights, **options)
    x = np.load(case / "input.npy")
    watch = Expected(expected["layers"])
    outputs = net.forward(on_layer=watch, data=x)
    assert not watch.entries
    last = {entry["blob"]: entry["sha256"] for entry in expected["layers"]}
    assert {name: sha256(t) for name, t in outputs.items()} == {name: last[name] for name in outputs}
    assert {name: sha256(t) for name, t in net.forward(data=x).items()} == {
        name: last[name] for name in outputs
    }
    assert not net.report.missing and not net.report.unused
    return net


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", ["v1_layers", "v2_layers", "v1_conv_sweep_rgb"])
def test_golden(case, threads):
    check(GOLDEN / case, GOLDEN / case / "weights.caffemodel", threads=threads)


def test_a_batch_has_the_bits_of_its_images():
    case = GOLDEN / "v1_layers"
    net = Net(case / "net.prototxt", case / "weights.caffemodel")
    images = 100 * torch.randn(3, 3, 41, 49, generator=torch.Generator().manual_seed(0))
    together = net.forward(data=images)
    for i in range(3):
        alone = net.forward(data=images[i : i + 1])
        assert all(sha256(together[name][i : i + 1]) == sha256(alone[name]) for name in alone)


@needs_reference
@pytest.mark.parametrize("case", LARGE)
def test_reference(case, weights_of):
    """With two threads; tests/validate/test_reference.py has them with one."""
    check(REFERENCE / "nets" / case, weights_of(case), threads=2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("case", ["v1_layers", "v2_layers", "v1_conv_sweep_rgb", *LARGE])
def test_on_a_gpu(case, weights_of):
    if (GOLDEN / case).exists():
        check(GOLDEN / case, GOLDEN / case / "weights.caffemodel", device="cuda")
    elif REFERENCE.exists():
        check(REFERENCE / "nets" / case, weights_of(case), device="cuda")
    else:
        pytest.skip(f"no {REFERENCE}")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_batch_of_largefov_on_a_gpu(tmp_path):
    """513x513, 8 images: no bit differs from the CPU."""
    model = Path(__file__).parents[2] / "prototxt/deeplab_v1/largefov/deploy.prototxt"
    net = Net(model)
    random_weights(net)
    net.save(tmp_path / "weights.caffemodel")
    x = 60 * torch.randn(8, 3, 513, 513, generator=torch.Generator().manual_seed(7))
    wanted, found = (
        Net(model, tmp_path / "weights.caffemodel", device=device)(x).cpu() for device in ("cpu", "cuda")
    )
    assert torch.equal(wanted.view(torch.int32), found.view(torch.int32))


@needs_reference
@pytest.mark.parametrize(
    "net, case",
    [("vgg16_aspp", "v2_vgg16_aspp_161"), ("resnet101_aspp_msc", "v2_resnet101_msc_161")],
)
def test_our_prototxt_takes_weights_of_the_released_names(net, case, weights_of):
    layers = json.loads((REFERENCE / "nets" / case / "expected.json").read_text())["layers"]
    model = Path(__file__).parents[2] / "prototxt/deeplab_v2" / net / "deploy.prototxt"
    net = Net(model, weights_of(case), variables={"EXP": "voc12", "NUM_LABELS": "21"})
    assert not net.report.missing and not net.report.unused
    ((name, scores),) = net.forward(data=np.load(REFERENCE / "nets" / case / "input.npy")).items()
    assert sha256(scores) == next(entry["sha256"] for entry in layers if entry["blob"] == name)


@needs_reference
def test_a_large_batch_has_the_bits_of_its_images(weights_of):
    case = REFERENCE / "nets/v1_largefov_321"
    image = torch.from_numpy(np.load(case / "input.npy"))[:, :, :161, :161]
    images = torch.cat([image, image.flip(3), image.flip(2)])
    net = Net(case / "net.prototxt", weights_of(case.name))
    together = net(images)
    for i in range(3):
        assert sha256(together[i : i + 1]) == sha256(net(images[i : i + 1]))
