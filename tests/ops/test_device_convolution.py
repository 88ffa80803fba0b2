"""The CUDA convolution has the CPU's bits, whatever the geometry, the tile and the way blocks are summed."""

import hashlib
import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.caffemodel import read_caffemodel
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers import Context, create
from deeplab_caffe.ops import device_convolution
from deeplab_caffe.ops.device_convolution import TILE_VARIABLE
from deeplab_caffe.ops.epilogue import BatchNorm, Bias, Clip, ReLU, Scale, Sum
from tests.values import same_bits

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parents[1] / "golden/nets"
SHARED = Path(__file__).parents[3] / "shared/reference"
REFERENCE = Path(os.environ.get("DEEPLAB_CAFFE_REFERENCE") or SHARED) / "nets"
TILES = tuple("128x128x256 128x64x128 64x128x128 64x64x64 32x128x128 32x64x64 128x128x128".split())
EPILOGUES = (
    (),
    ("bias",),
    ("relu",),
    ("bias", "relu"),
    ("batch_norm", "scale", "bias", "sum", "relu"),
    ("scale", "clip"),
    ("sum",),
)


def random_case(seed: int, scale: int) -> dict:
    """A geometry; scale 1: small enough for the emulator. Every fifth has K over several blocks."""
    r = random.Random(1000 * scale + seed)
    kernel = r.choice([(1, 1), (3, 3), (3, 3), (4, 4), (r.randint(1, 5), r.randint(1, 7))])
    dilation = tuple(r.choice([1, 1, 2, 4, 6, 12, 18, 24, 36]) for _ in range(2))
    groups = r.choice([1, 1, 1, 1, 2, 3])
    deep = seed % 5 == 0
    taps = kernel[0] * kernel[1]
    depth = r.choice([449, 460, 640, 895, 896, 897, 950, 1400]) if deep else r.randint(1, 60 * scale)
    return {
        "seed": seed,
        "batch": r.randint(1, 3),
        "channels": (depth // taps + 1) * groups,
        "size": (r.randint(1, 15 * scale), r.randint(1, 25 * scale)),
        "out": r.choice([1, 3, 21, 30, 33, 70, 130][: 5 + scale]) * groups,
        "kernel": kernel,
        "stride": r.choice([(1, 1), (1, 1), (2, 2), (r.randint(1, 3), r.randint(1, 3))]),
        "pad": tuple(
            r.choice([0, 1, d * (k - 1) // 2, d * (k - 1), d * k])
            for d, k in zip(dilation, kernel, strict=True)
        ),
        "dilation": dilation,
        "groups": groups,
        "steps": r.choice(EPILOGUES),
        "tile": r.choice(["", *(f"{tile},{way}" for tile in TILES for way in ("whole", "split", "mixed"))]),
    }


def random_depthwise(seed: int, scale: int) -> dict:
    case = random_case(seed, scale)
    r = random.Random(seed)
    case["groups"] = case["channels"] = r.randint(2, 9)
    case["out"] = case["groups"] * r.choice([1, 1, 2])
    case["kernel"] = kernel = r.choice([(3, 3), (3, 3), (5, 5), (r.randint(1, 7), r.randint(1, 5))])
    if r.random() < 0.2:
        case["size"] = r.randint(1, 9), r.choice([3000, 20000]) // scale
    case["pad"] = tuple(d * (k - 1) // 2 for d, k in zip(case["dilation"], kernel, strict=True))
    return case


def axes(case: dict) -> list[tuple[int, ...]]:
    return [
        tuple(case[name][i] for name in ("size", "kernel", "stride", "pad", "dilation")) for i in range(2)
    ]


def cases(make, scale: int, count: int) -> list[dict]:
    """The first `count` cases whose kernel fits into the input."""
    fitting, seed = [], 0
    while len(fitting) < count:
        case = make(seed, scale)
        if min(ops.convolved_size(*axis) for axis in axes(case)) > 0:
            fitting.append(case)
        seed += 1
    return fitting


def arguments(case: dict) -> dict:
    g = torch.Generator().manual_seed(case["seed"])

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=g)

    out = case["out"]
    operands = {
        "bias": Bias(draw(out)),
        "scale": Scale(draw(out)),
        "batch_norm": BatchNorm(draw(out), draw(out).abs() + 0.5),
        "sum": Sum(
            draw(case["batch"], out, *(ops.convolved_size(*axis) for axis in axes(case))),
            1.5,
            -0.7,
            case["seed"] % 2 == 0,
        ),
        "relu": ReLU(0.25 * (case["seed"] % 3)),
        "clip": Clip(-1.0, 2.0),
    }
    return {
        "x": draw(case["batch"], case["channels"], *case["size"]),
        "weights": draw(out, case["channels"] // case["groups"], *case["kernel"]),
        "epilogue": [operands[kind] for kind in case["steps"]],
        **{name: case[name] for name in ("stride", "pad", "dilation", "groups")},
    }


@pytest.mark.parametrize("make,share", [(random_case, 1.0), (random_depthwise, 0.4)])
def test_random_geometries(device, make, share, monkeypatch):
    scale, count = (1, 110) if device.emulated else (3, 300)
    for case in cases(make, scale, int(count * share)):
        given = arguments(case)
        monkeypatch.setenv(TILE_VARIABLE, case["tile"])
        monkeypatch.setattr(device_convolution, "_processors", lambda *_, n=1 + case["seed"] % 4: n)
        assert same_bits(device(ops.atrous_conv, **given), ops.atrous_conv(**given)), case


@pytest.mark.parametrize("way", ["whole", "split", "mixed"])
@pytest.mark.parametrize("tile", TILES)
def test_every_tile(device, tile, way, monkeypatch):
    """Several tiles in each direction, several blocks of the reduction; 2 processors, so mixed is a mix."""
    monkeypatch.setattr(device_convolution, "_processors", lambda *_: 2)
    monkeypatch.setenv(TILE_VARIABLE, f"{tile},{way}")
    case = random_case(0, 1) | {"batch": 2, "channels": 101, "size": (9, 17), "out": 150, "groups": 1}
    case |= {"kernel": (3, 3), "stride": (1, 1), "pad": (6, 6), "dilation": (6, 6), "steps": EPILOGUES[4]}
    given = arguments(case)
    assert same_bits(device(ops.atrous_conv, **given), ops.atrous_conv(**given))


@pytest.mark.parametrize("rate", [6, 12, 18, 24, 36])
def test_atrous_rates(device, rate):
    x, w = torch.randn(2, 5, 41, 37), torch.randn(21, 5, 3, 3)
    given = {"pad": (rate, rate), "dilation": (rate, rate), "epilogue": [Bias(torch.randn(21))]}
    assert same_bits(device(ops.atrous_conv, x, w, **given), ops.atrous_conv(x, w, **given))


@pytest.mark.parametrize("groups", [1, 3])
def test_packing_is_invertible(device, groups):
    w = torch.randn(21, 5, 3, 2)

    def there_and_back(w):
        return ops.unpack_weights(ops.pack_weights(w, groups), w.shape, groups)

    assert torch.equal(device(there_and_back, w), w)


def test_sums_in_place(device):
    x, w, other = torch.randn(1, 4, 20, 50), torch.randn(9, 4, 1, 1), torch.randn(1, 9, 20, 50)

    def in_place(x, w, other):
        return ops.atrous_conv(x, w, epilogue=[Sum(other)], out=other)

    assert same_bits(device(in_place, x, w, other.clone()), in_place(x, w, other.clone()))


def test_asymmetric_padding_and_empty_batches(device):
    x, w = torch.randn(2, 3, 10, 11), torch.randn(8, 3, 3, 3)
    given = {"stride": (2, 2), "pad": (0, 1), "size": (5, 6)}
    assert same_bits(device(ops.atrous_conv, x, w, **given), ops.atrous_conv(x, w, **given))
    assert device(ops.atrous_conv, x[:0], w).shape == (0, 8, 8, 9)


@pytest.mark.parametrize("case", ["v1_conv_sweep_rgb", "v1_conv_sweep", "v2_conv_sweep", "v2_conv_sweep_65"])
def test_convolutions_of_the_original_programs(device, case):
    """Small ones on the emulator, all on a GPU."""
    folder = GOLDEN / case if (GOLDEN / case).exists() else REFERENCE / case
    if not folder.exists():
        pytest.skip("the large reference cases are not here")
    x = torch.from_numpy(np.load(folder / "input.npy"))
    expected = {e["layer"]: e for e in json.loads((folder / "expected.json").read_text())["layers"]}
    weights = {layer.name: layer.blobs for layer in read_caffemodel(folder / "weights.caffemodel")}
    done = 0
    for definition in read_net(folder / "net.prototxt").layers:
        if definition.type != "Convolution" or definition.bottoms != ["data"]:
            continue
        layer = create(definition, Context())
        shape = tuple(x.shape)
        work = np.prod(layer.shape([shape])[0]) * np.prod(layer.blob_shapes([shape])[0][1:])
        if device.emulated and work > 20e6:
            continue
        w, *bias = (
            blob.reshape(shape)
            for blob, shape in zip(weights[definition.name], layer.blob_shapes([shape]), strict=True)
        )
        steps = [Bias(bias[0].reshape(-1))] if bias else []
        y = device(ops.atrous_conv, x, w, layer.stride, layer.pad, layer.dilation, layer.groups, steps)
        digest = hashlib.sha256(y.contiguous().numpy().tobytes()).hexdigest()
        assert digest == expected[definition.name]["sha256"], definition.name
        done += 1
    assert done or device.emulated


def test_what_does_not_fit_is_an_error(device, monkeypatch):
    x, w = torch.zeros(1, 3, 8, 8), torch.zeros(4, 3, 3, 3)
    with pytest.raises(DeepLabError, match="more than 16 steps"):
        device(ops.atrous_conv, x, w, epilogue=[ReLU()] * 17)
    with pytest.raises(DeepLabError, match="values given"):
        device(ops.atrous_conv, x, w.view(-1)[:5], packed_shape=(4, 3, 3, 3))
    for wrong in ("128x128", "128x128x256,half"):
        monkeypatch.setenv(TILE_VARIABLE, wrong)
        with pytest.raises(DeepLabError, match="128x128x256, .*wanted"):
            device(ops.atrous_conv, x, w)
