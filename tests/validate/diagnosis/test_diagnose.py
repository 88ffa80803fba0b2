"""Mistakes planted on purpose, which the diagnosis must find; and one that it does not know."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from deeplab_caffe.engine.net import Net
from deeplab_caffe.validate.diagnosis.diagnose import diagnose
from deeplab_caffe.validate.request import Request
from deeplab_caffe.validate.validation import validate

from ..conftest import NET, SmallNet
from .conftest import COLUMN, Planted

SIGMA = np.array((0.225, 0.224, 0.229), np.float32).reshape(1, 3, 1, 1)
MU = np.array((0.406, 0.456, 0.485), np.float32).reshape(1, 3, 1, 1)


def check(diagnosis, hypothesis, change="", verdict="explained"):
    tried = "\n".join(f"{t.hypothesis}: {t.change}: {t.effect} {t.error} {t.note}" for t in diagnosis.trials)
    assert diagnosis.verdict == verdict, f"{diagnosis.sentence}\n{tried}"
    best = diagnosis.trials[diagnosis.best]
    assert best.hypothesis == hypothesis and change in best.change, f"{diagnosis.sentence}\n{tried}"
    return best


@pytest.mark.parametrize(
    "hypothesis, change, function",
    [
        ("channel order", "each with its own mean", lambda image: (image - COLUMN)[:, ::-1]),
        ("channel order", "the mean in the old one", lambda image: image[:, ::-1] - COLUMN),
        ("mean", "no mean subtracted", lambda image: image),
        ("mean", "mean 127.5", lambda image: image - np.float32(127.5)),
        ("mean", "mean 104, 117, 123; channels", lambda image: (image - MEAN_123)[:, ::-1]),
        ("scale", "scale 1/255, no mean", lambda image: image / np.float32(255)),
        ("scale", "scale 1/127.5, then less 1", lambda image: image / np.float32(127.5) - 1),
        ("scale", "torchvision's", lambda image: ((image / np.float32(255) - MU) / SIGMA)[:, ::-1]),
        ("crop, pad or resize rule", "mirrored", lambda image: (image - COLUMN)[..., ::-1]),
    ],
)
def test_another_input(planted, hypothesis, change, function):
    theirs = planted.blobs(np.ascontiguousarray(function(planted.image)))
    check(planted.diagnose(theirs), hypothesis, change)


MEAN_123 = np.array((104, 117, 123), np.float32).reshape(1, 3, 1, 1)


def test_another_input_with_only_the_scores(planted):
    theirs = planted.blobs(np.ascontiguousarray((planted.image - COLUMN)[:, ::-1]))
    best = check(planted.diagnose({("interp", "scores"): theirs["interp", "scores"]}), "channel order")
    assert (best.equal_blobs, best.blobs) == (1, 1)


def test_padding_in_the_middle(planted):
    part = planted.x[:, :, :13, :11].copy()
    planted.x = np.pad(part, ((0, 0), (0, 0), (0, 4), (0, 6)))
    theirs = planted.blobs(np.pad(part, ((0, 0), (0, 0), (2, 2), (3, 3))))
    check(planted.diagnose(theirs), "crop, pad or resize rule", "in the middle of the padding")


def test_resized_in_place_of_padded(planted):
    part = planted.x[:, :, :13, :11].copy()
    planted.x = np.pad(part, ((0, 0), (0, 0), (0, 4), (0, 6)))
    resized = functional.interpolate(torch.from_numpy(part), (17, 17), mode="bilinear").numpy()
    check(planted.diagnose(planted.blobs(resized)), "crop, pad or resize rule", "centres on centres")


def test_an_input_one_row_smaller(planted):
    theirs = planted.blobs(np.ascontiguousarray(planted.x[:, :, :16, :16]))
    check(planted.diagnose(theirs), "input size", "what theirs has (16x16), cut")


def test_an_input_one_row_larger(planted):
    theirs = planted.blobs(np.pad(planted.x, ((0, 0), (0, 0), (0, 1), (0, 1))))
    check(planted.diagnose(theirs), "input size", "what theirs has (18x18), zeros behind")


def edited(small, *pairs):
    text = small.text
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = small.folder / "theirs.prototxt"
    path.write_text(text)
    return Net(path, small.weights)


@pytest.mark.parametrize(
    "hypothesis, change, pairs",
    [
        ("pooling's rounding", "", [("stride: 2", "stride: 2 round_mode: FLOOR")]),
        ("Interp's corners", "", [("width: 17 }", "width: 17 align_corners: false }")]),
        ("dilation", "padding to match", [("pad: 2 dilation: 2", "pad: 1")]),
        ("dilation", "padding as it is", [("dilation: 2", "")]),
    ],
)
def test_another_layer(planted, hypothesis, change, pairs):
    check(planted.diagnose(planted.blobs(net=edited(planted.small, *pairs))), hypothesis, change)


@pytest.mark.parametrize(
    "change, number, function",
    [
        ("turned by 180 degrees", 0, lambda w: w.flip(2, 3)),
        ("rows and columns of the filters", 0, lambda w: w.transpose(2, 3)),
        ("no bias", 1, torch.zeros_like),
    ],
)
def test_other_filters(planted, change, number, function):
    net = planted.small.net()
    for layer in ("conv1", "sub/fc8"):
        net.params[layer][number].data = function(net.params[layer][number].values())
    check(
        planted.diagnose({k: v for k, v in planted.blobs(net=net).items() if k[0] == "conv1"}),
        "filters",
        change,
    )


def test_the_labels_in_another_order(planted):
    theirs = planted.blobs()
    for key in (("sub/fc8", "fc8"), ("interp", "scores")):
        theirs[key] = theirs[key][:, [2, 0, 3, 1]]
    check(planted.diagnose(theirs), "label order", "channels of theirs as 1, 3, 0, 2")
    theirs = planted.blobs()
    for key in (("sub/fc8", "fc8"), ("interp", "scores")):
        theirs[key] = theirs[key][:, [1, 2, 3, 0]]
    check(planted.diagnose(theirs), "label order", "background last")


@pytest.mark.slow
def test_scores_of_another_size(planted):
    scores = planted.blobs()["interp", "scores"]
    planted.small.dump(planted.folder, {("interp", "scores"): scores[:, :, 1:16, 2:15]})
    check(planted.diagnose(planted.folder), "size of the scores", "theirs is ours without a border")
    resized = functional.interpolate(torch.from_numpy(scores), (33, 33), mode="bilinear").numpy()
    planted.small.dump(planted.folder, {("interp", "scores"): resized})
    best = check(
        planted.diagnose(planted.folder), "size of the scores", "ours resized to theirs' size, centres"
    )
    assert best.effect == "equal"


@pytest.mark.slow
def test_label_maps_counted_from_1(planted):
    from deeplab_caffe.evaluation.metrics import argmax_labels

    labels = argmax_labels(planted.blobs()["interp", "scores"])[0].astype(np.uint8)
    path = planted.small.folder / "labels.png"
    Image.fromarray(labels + 1).save(path)
    check(planted.diagnose(path), "label order", "counted from 1")


@pytest.mark.parametrize("axes", [(0, 1, 3, 2), (3, 2, 1, 0), (0, 2, 3, 1)])
def test_a_transposed_mat(planted, axes):
    from deeplab_caffe.formats.mat import write_mat

    path = planted.small.folder / "scores.mat"
    write_mat(path, planted.blobs()["interp", "scores"].transpose(axes))
    check(planted.diagnose(path), "order of axes", "axes of theirs in the order")


@pytest.mark.slow
def test_values_in_matlab_order(planted):
    scores = planted.blobs()["interp", "scores"]
    path = planted.small.folder / "scores.npy"
    np.save(path, scores.reshape(-1, order="F").reshape(scores.shape))
    check(planted.diagnose(path), "order of axes", "column by column")


def test_a_dump_before_the_relu(planted):
    theirs = planted.blobs()
    theirs["relu1", "conv1"] = theirs["conv1", "conv1"]
    check(planted.diagnose(theirs), "moment of the dump", "before ReLUs")


def test_a_dump_when_all_had_run(planted):
    theirs = planted.blobs()
    theirs["conv1", "conv1"] = theirs["relu1", "conv1"]
    check(planted.diagnose(theirs), "moment of the dump", "had run")


def torch_blobs(planted):
    """The net in plain torch: other sums, the same mathematics."""
    p = {name: [blob.values() for blob in blobs] for name, blobs in planted.small.net().params.items()}
    x = torch.from_numpy(planted.x)
    # The taps one after the other, as an implementation by hand would add them.
    padded, conv1 = functional.pad(x, (1, 1, 1, 1)), torch.zeros(1, 6, 17, 17)
    for row in range(3):
        for column in range(3):
            window = padded[:, :, row : row + 17, column : column + 17]
            conv1 += torch.einsum("nchw,oc->nohw", window, p["conv1"][0][:, :, row, column])
    conv1 += p["conv1"][1].view(1, -1, 1, 1)
    pool1 = functional.max_pool2d(conv1.relu(), 2, 2, ceil_mode=True)
    fc8 = functional.conv2d(pool1, *p["sub/fc8"], padding=2, dilation=2)
    scores = functional.interpolate(fc8, (17, 17), mode="bilinear", align_corners=True)
    names = [
        ("conv1", "conv1"),
        ("relu1", "conv1"),
        ("pool1", "pool1"),
        ("sub/fc8", "fc8"),
        ("interp", "scores"),
    ]
    return dict(zip(names, (t.numpy() for t in (conv1, conv1.relu(), pool1, fc8, scores)), strict=True))


DROPOUT = 'layer { name: "drop1" type: "Dropout" bottom: "conv1" top: "conv1" }\n'


def test_hooks_on_the_modules_of_a_port(tmp_path):
    """A port's dumps, called as its modules: convolutions before ReLU and Dropout, rounded otherwise."""
    pool = 'layer { name: "pool1"'
    planted = Planted(SmallNet(tmp_path / "net", NET.replace(pool, DROPOUT + pool)), tmp_path)
    names = ("conv1", "conv1"), ("sub/fc8", "fc8"), ("interp", "scores")
    blobs = torch_blobs(planted)
    theirs = {blob: blobs[layer, blob] for layer, blob in names}
    path = tmp_path / "port.npz"
    np.savez(path, **theirs)
    best = check(planted.diagnose(path), "moment of the dump", "before ReLUs")
    assert best.effect == "rounding" and best.blobs == 3


def test_a_dump_before_a_leaky_relu(tmp_path):
    leaky = 'type: "ReLU" relu_param { negative_slope: 0.5 }'
    planted = Planted(SmallNet(tmp_path / "net", NET.replace('type: "ReLU"', leaky)), tmp_path)
    theirs = planted.blobs()
    theirs["relu1", "conv1"] = theirs["conv1", "conv1"]
    assert check(planted.diagnose(theirs), "moment of the dump", "before ReLUs").effect == "equal"


def test_another_order_of_sums(planted):
    diagnosis = planted.diagnose(torch_blobs(planted))
    best = check(diagnosis, "another order of sums")
    assert best.effect == "rounding" and best.error < 1e-6 and diagnosis.suspects == ["input 'data'", "conv1"]


def test_another_order_of_sums_with_only_the_scores(planted):
    theirs = torch_blobs(planted)
    check(planted.diagnose({("interp", "scores"): theirs["interp", "scores"]}), "another order of sums")


def test_another_order_of_sums_and_of_channels(planted):
    x = planted.x
    planted.x = np.ascontiguousarray(x[:, ::-1])
    theirs = torch_blobs(planted)
    planted.x = x
    best = check(planted.diagnose(theirs), "channel order")
    assert best.effect == "rounding"


def test_fewer_bits(planted):
    net = planted.small.net()
    for blobs in net.params.values():
        blobs[0].data = blobs[0].values().to(torch.bfloat16).float()
    x = torch.from_numpy(planted.x).to(torch.bfloat16).float().numpy()
    theirs = planted.blobs(x, net)
    check(planted.diagnose({("conv1", "conv1"): theirs["conv1", "conv1"]}), "fewer bits", "bfloat16")


def other_weights(planted, size):
    net, generator = planted.small.net(), torch.Generator().manual_seed(0)
    for blobs in net.params.values():
        values = blobs[0].values()
        blobs[0].data = values + size * values.std() * torch.randn(values.shape, generator=generator)
    path = planted.small.folder / "later.caffemodel"
    net.save(path)
    return net, path


@pytest.mark.slow
def test_weights_of_another_iteration(planted):
    net, path = other_weights(planted, 0.01)
    theirs = planted.blobs(net=net)
    diagnosis = planted.diagnose(theirs)
    best = check(diagnosis, "weights of another iteration", "by least squares")
    assert (
        best.note == "weights of another iteration" and "weights of another iteration" in diagnosis.sentence
    )
    best = check(
        planted.diagnose(theirs, also_weights=[str(path)]), "weights of another iteration", str(path)
    )
    assert best.effect == "equal" and best.equal_blobs == best.blobs == 5


@pytest.mark.slow
def test_other_weights_altogether(planted):
    net, _ = other_weights(planted, 5)
    best = check(planted.diagnose(planted.blobs(net=net)), "weights of another iteration")
    assert best.note == "other weights altogether"


def test_weights_against_weights(planted):
    _, path = other_weights(planted, 0.01)
    best = check(planted.diagnose(path), "weights of another iteration", "2 of 4 parameters differ")
    assert (best.equal_blobs, best.blobs) == (2, 4)


@pytest.mark.slow
def test_two_causes(planted):
    net = edited(planted.small, ("stride: 2", "stride: 2 round_mode: FLOOR"))
    theirs = planted.blobs(np.ascontiguousarray(planted.x[:, ::-1]), net)
    diagnosis = planted.diagnose(theirs)
    check(diagnosis, "pooling's rounding")
    assert "channel order" in diagnosis.sentence and "pooling's rounding" in diagnosis.sentence


@pytest.mark.slow
def test_a_difference_that_fits_none(planted):
    theirs = planted.blobs()
    theirs["pool1", "pool1"] = np.sqrt(np.abs(theirs["pool1", "pool1"])) + 3
    diagnosis = planted.diagnose(theirs)
    assert diagnosis.verdict == "none" and diagnosis.best is None
    assert diagnosis.sentence == f"none of the {len(diagnosis.trials)} changes tried explains it"
    assert diagnosis.suspects == ["pool1"] and "the input is right" in diagnosis.skipped["channel order"]


def test_noise_in_the_first_layer_fits_none(planted):
    theirs = planted.blobs()
    noise = np.random.default_rng(2).standard_normal(theirs["conv1", "conv1"].shape).astype(np.float32)
    theirs["conv1", "conv1"] += 0.05 * np.abs(theirs["conv1", "conv1"]).max() * noise
    diagnosis = planted.diagnose(theirs)
    assert diagnosis.verdict == "none", diagnosis.sentence


NORM = """
name: "norm"
input: "data"
input_shape { dim: 2 dim: 3 dim: 9 dim: 9 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 5 kernel_size: 3 bias_term: false
                            weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
        convolution_param { num_output: 5 kernel_size: 1 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "bn2" type: "BatchNorm" bottom: "conv2" top: "conv2" }
"""


@pytest.fixture
def normed(tmp_path):
    """A net with two BatchNorms whose sums want to be divided by 998."""
    small = SmallNet(tmp_path / "net", NORM, (2, 3, 9, 9))
    net, generator = small.net(), torch.Generator().manual_seed(1)
    for name in ("bn1", "bn2"):
        mean, variance, divisor = net.params[name]
        divisor.data = torch.tensor([998.0])
        mean.data = 998 * torch.randn(5, generator=generator)
        variance.data = 998 * (0.01 + torch.rand(5, generator=generator))
    for blob in net.params["scale1"]:
        blob.data = 1 + torch.rand(5, generator=generator)
    net.save(small.weights)
    return Planted(small, tmp_path)


@pytest.mark.parametrize(
    "change, pairs",
    [
        ("epsilon 0.001", [('"BatchNorm"', '"BatchNorm" batch_norm_param { eps: 1e-3 }')]),
        (
            "statistics of the batch",
            [('"BatchNorm"', '"BatchNorm" batch_norm_param { use_global_stats: false }')],
        ),
    ],
)
def test_another_batch_norm(normed, change, pairs):
    net = edited(normed.small, *pairs)
    check(normed.diagnose(normed.blobs(net=net)), "BatchNorm", change)


@pytest.mark.parametrize("change, value", [("ignored", 1.0), ("multiplied", 1 / np.float32(998))])
def test_the_scale_factor_of_batch_norm(normed, change, value):
    net = normed.small.net()
    for name in ("bn1", "bn2"):
        net.params[name][2].data = torch.tensor([value])
    check(normed.diagnose(normed.blobs(net=net)), "BatchNorm", change)


CRF = """
name: "crf"
input: "scores" input_shape { dim: 1 dim: 3 dim: 12 dim: 14 }
input: "size" input_shape { dim: 1 dim: 1 dim: 1 dim: 2 }
input: "data" input_shape { dim: 1 dim: 3 dim: 12 dim: 14 }
layer { name: "crf" type: "DenseCRF" bottom: "scores" bottom: "size" bottom: "data" top: "crf"
        dense_crf_param { max_iter: 10 pos_xy_std: 3 pos_w: 3 bi_xy_std: 50 bi_rgb_std: 10 bi_w: 5 } }
"""


@pytest.fixture
def refined(tmp_path):
    """A CRF alone: inputs, and a function that gives what its net leaves with changed text."""
    (tmp_path / "net.prototxt").write_text(CRF)
    generator = np.random.default_rng(3)
    inputs = {
        "scores": generator.standard_normal((1, 3, 12, 14)).astype(np.float32),
        "size": np.array([12, 14], np.float32).reshape(1, 1, 1, 2),
        "data": generator.integers(0, 256, (1, 3, 12, 14)).astype(np.float32),
    }

    def diagnose_with(*pairs):
        text = CRF
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "theirs.prototxt").write_text(text)
        np.save(tmp_path / "crf.npy", Net(tmp_path / "theirs.prototxt").forward(**inputs)["crf"].numpy())
        request = Request(tmp_path / "net.prototxt", None, [tmp_path / "crf.npy"], inputs=inputs, threads=1)
        return validate(request.job(), request.environment("a test"), diagnose).diagnosis

    return diagnose_with


@pytest.mark.parametrize(
    "change, pairs",
    [
        ("5 iterations", [("max_iter: 10", "max_iter: 5")]),
        pytest.param("bi_rgb_std 3", [("bi_rgb_std: 10", "bi_rgb_std: 3")], marks=pytest.mark.slow),
        pytest.param(
            "bi_xy_std and bi_rgb_std exchanged",
            [("bi_xy_std: 50 bi_rgb_std: 10", "bi_xy_std: 10 bi_rgb_std: 50")],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "no bilateral kernel", [("bi_xy_std: 50 bi_rgb_std: 10 bi_w: 5", "")], marks=pytest.mark.slow
        ),
    ],
)
def test_other_crf_parameters(refined, change, pairs):
    check(refined(*pairs), "CRF parameters", change)


@pytest.mark.slow
def test_two_other_crf_parameters(refined):
    diagnosis = refined(("bi_xy_std: 50", "bi_xy_std: 80"), ("bi_rgb_std: 10", "bi_rgb_std: 13"))
    check(diagnosis, "CRF parameters")
    assert "bi_xy_std 80" in diagnosis.sentence and "bi_rgb_std 13" in diagnosis.sentence


@pytest.mark.slow
def test_numbers_of_fewer_bits(planted):
    theirs = {key: torch.from_numpy(blob).bfloat16().float().numpy() for key, blob in planted.blobs().items()}
    check(planted.diagnose(theirs), "fewer bits", "each value of theirs is one of bfloat16")
    theirs = {key: blob.astype(np.float16).astype(np.float32) for key, blob in planted.blobs().items()}
    check(planted.diagnose(theirs), "fewer bits", "each value of theirs is one of half precision")


def test_theirs_by_its_hashes(planted):
    """Whether a change brings them to equal shows, though not how near it comes."""
    from deeplab_caffe.commands.forward import statistics

    blobs = planted.blobs(np.ascontiguousarray(planted.x[:, ::-1]))
    records = [{"layer": layer, "blob": blob, **statistics(array)} for (layer, blob), array in blobs.items()]
    path = planted.small.folder / "forward.json"
    path.write_text(json.dumps({"layers": records}))
    best = check(planted.diagnose(path), "channel order")
    assert best.effect == "equal" and best.error is None and best.equal_blobs == 5


def test_another_net_beside_ours(planted):
    _, path = other_weights(planted, 0.01)
    inputs = {"data": planted.x}
    request = Request(planted.small.model, planted.small.weights, other_weights=path, inputs=inputs)
    diagnosis = validate(request.job(), request.environment("a test"), diagnose).diagnosis
    assert check(diagnosis, "weights of another iteration").note == "weights of another iteration"
    floor = planted.small.folder / "floor.prototxt"
    floor.write_text(planted.small.text.replace("stride: 2", "stride: 2 round_mode: FLOOR"))
    request = Request(planted.small.model, planted.small.weights, other_model=floor, inputs=inputs)
    result = validate(request.job(), request.environment("a test"), diagnose)
    best = check(result.diagnosis, "pooling's rounding")
    assert (best.equal_blobs, best.blobs) == (6, 6)


def test_a_net_that_feeds_itself(tmp_path):
    """Data layers are watched, not run again: their tops are what is changed."""
    generator = np.random.default_rng(4)
    (tmp_path / "list.txt").write_text("a.png\nb.png\n")
    for name in "ab":
        Image.fromarray(generator.integers(0, 256, (9, 9, 3), np.uint8)).save(tmp_path / f"{name}.png")
    data = f"""layer {{ name: "data" type: "ImageData" top: "data" top: "label"
        image_data_param {{ source: "{tmp_path}/list.txt" root_folder: "{tmp_path}" batch_size: 1 }}
        transform_param {{ mean_value: 100 mean_value: 110 mean_value: 120 }} }}
        layer {{ name: "quiet" type: "Silence" bottom: "label" }}"""
    text = NORM.replace('input: "data"\ninput_shape { dim: 2 dim: 3 dim: 9 dim: 9 }', data)
    small = SmallNet(tmp_path / "net", text, (1, 3, 9, 9))
    net = small.net()
    theirs = tmp_path / "theirs"
    for number in range(2):
        net.seek(number)
        data = net.forward(outputs=["data"])["data"].numpy()
        other = Net(small.model, small.weights, inputs={"data": data.shape})
        blobs = small.blobs(np.ascontiguousarray(data[:, ::-1]) if number else data, other)
        small.dump(theirs / "ab"[number], blobs)
    request = Request(small.model, small.weights, [theirs], iterations=2)
    result = validate(request.job(), request.environment("a test"), diagnose)
    assert [c.status for c in result.comparisons if c.image == "a"] == ["equal"] * 5
    assert result.comparisons[result.first].image == "b"
    check(result.diagnosis, "channel order", "each with its own mean")
