"""The verb on small files: what it writes, and an error of one line for what does not fit."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab_caffe import Net
from deeplab_caffe.convert.layouts import TENSORFLOW
from deeplab_caffe.engine.cost import analyse
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.generate.deeplab_v3 import DeepLabV3
from tests import fresh

GOLDEN = Path(__file__).parents[1] / "golden" / "tf"
MOBILENET = ("--backbone", "mobilenet_v2", "--size", "65x65")


@cache
def variables(**options):
    """Arrays of zeros for every variable of a net (a MobileNet v2 has 2 million values)."""
    net = read_net("x", text=DeepLabV3("mobilenet_v2", size=(65, 65), **options).deploy())
    arrays = {}
    for layer, cost in zip(net.layers, analyse(net).layers, strict=True):
        depthwise = layer.param.convolution_param.group > 1
        if cost.parameter_shapes:
            rules = TENSORFLOW.rules(layer.name, layer.type, depthwise)
            for rule, shape in zip(rules, cost.parameter_shapes, strict=False):
                if rule.variable:
                    arrays[rule.variable] = np.zeros(rule.variable_shape(shape), np.float32)
    return arrays


@pytest.fixture
def npz(tmp_path):
    def write(**arrays):
        np.savez_compressed(tmp_path / "w.npz", **arrays)
        return tmp_path / "w.npz"

    return write


@pytest.mark.slow
def test_writes_a_net_with_the_weights_classes(tmp_path, npz, succeeds):
    arrays = variables(classes=5) | {"logits/semantic/biases": np.arange(5, dtype=np.float32)}
    source = npz(**{f"{name}:0": array for name, array in arrays.items()}, global_step=np.int64(3))
    assert f"{len(arrays)} variables in" in succeeds("convert", source, *MOBILENET, "-o", tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "deploy.prototxt",
        "weights.caffemodel",
    ]
    net = Net(tmp_path / "out/deploy.prototxt", tmp_path / "out/weights.caffemodel")
    scores = net.forward(data=np.zeros((1, 3, 33, 33), np.float32))["upsampled_logits"]
    assert scores.shape == (1, 5, 33, 33)
    assert np.array_equal(np.asarray(scores)[0, :, 7, 9], np.arange(5))


@pytest.mark.slow
def test_a_decoder_left_over(tmp_path, npz, fails, succeeds):
    source = npz(**variables(decoder=4))
    message = fails("convert", source, *MOBILENET, "-o", tmp_path / "out")
    assert "variables have no place in" in message and "decoder/" in message and "--ignore-unused" in message
    assert not (tmp_path / "out").exists()
    succeeds("convert", source, *MOBILENET, "-o", tmp_path / "out", "--ignore-unused")
    succeeds("convert", source, *MOBILENET, "--decoder", "4", "-o", tmp_path / "other")


def test_another_backbone(tmp_path, npz, fails):
    source = npz(**variables())
    message = fails("convert", source, "--backbone", "resnet_v1_50_beta", "-o", tmp_path / "out")
    assert "not the weights of DeepLab-v3-resnet_v1_50_beta: " in message
    assert "left over: MobilenetV2/" in message and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_another_number_of_classes(tmp_path, npz, fails):
    source = npz(**variables())
    message = fails("convert", source, *MOBILENET, "--classes", "7", "-o", tmp_path / "out")
    assert (
        "'logits/semantic/weights': shape [1, 1, 256, 21] in the file, [1, 1, 256, 7] in the net" in message
    )


def test_other_files(tmp_path, npz, fails):
    def error(source, *options):
        return fails("convert", source, *MOBILENET, *options, "-o", tmp_path / "out")

    assert "variables are missing" in error(GOLDEN / "frozen.pb")
    assert "variables are missing" in error(GOLDEN / "sharded.ckpt")
    for file in GOLDEN.glob("sharded*"):
        shutil.copy(file, tmp_path)
    data = tmp_path / "sharded.ckpt.data-00000-of-00002"
    data.write_bytes(data.read_bytes()[:100])
    assert "cut off: variable '" in error(tmp_path / "sharded.ckpt")
    assert "No such file" in error(tmp_path / "none.ckpt")
    assert "--from keras: one of tflite, tf, npz, torch" in error(tmp_path / "none.ckpt", "--from", "keras")
    assert "not a whole .npz" in error(tmp_path / "sharded.ckpt.index", "--from", "npz")
    assert "no moving averages" in error(npz(**variables()), "--averages")
    assert not (tmp_path / "out").exists()


def test_a_tflite_file_tells_its_net(tmp_path, succeeds, fails):
    pytest.importorskip("tflite")
    from tests.convert.tflite.write_tflite import small_net

    source = tmp_path / "small.tflite"
    source.write_bytes(small_net().bytes())
    assert "12 constants in 6 layers" in succeeds("convert", source, "-o", tmp_path / "out")
    assert Net(tmp_path / "out/deploy.prototxt", tmp_path / "out/weights.caffemodel").outputs
    for option in (("--backbone", "mobilenet_v2"), ("--size", "65x65"), ("--ignore-unused",)):
        message = fails("convert", source, *option, "-o", tmp_path / "other")
        assert f"{option[0]}: {source} tells what the net is" in message
    source.write_bytes(source.read_bytes()[:-9])
    assert "small.tflite" in fails("convert", source, "-o", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_weights_that_do_not_tell_their_net(tmp_path, npz, fails):
    source = npz(a=np.zeros(1, np.float32))
    assert "w.npz: --backbone wanted" in fails("convert", source, "-o", tmp_path / "out")


MODEL = """input: "data" input_shape { dim: 1 dim: 2 dim: 3 dim: 3 }
layer { name: "score/a" type: "Convolution" bottom: "data" top: "m"
  convolution_param { num_output: ${LABELS} kernel_size: 1 } }
"""


def test_a_state_dict_with_a_nets_names(tmp_path, succeeds, fails):
    model, source = tmp_path / "net.prototxt", tmp_path / "fine.pt"
    model.write_text(MODEL)
    torch.save({"score_a.weight": torch.ones(3, 2, 1, 1), "score_a.bias": torch.ones(3)}, source)
    given = ("convert", source, "--model", model, "-o", tmp_path / "out")
    assert "2 tensors in V2 records" in succeeds(*given, "--set", "LABELS=3")
    net = Net(model, tmp_path / "out/weights.caffemodel", variables={"LABELS": "3"})
    assert (net(torch.ones(1, 2, 3, 3)) == 3).all()
    message = fails(*given, "--set", "LABELS=4")
    assert "score_a.weight ([3, 2, 1, 1] in the file, [4, 2, 1, 1] in the net)" in message
    assert "--backbone: --model" in fails(*given, "--backbone", "resnet50")
    assert "--set: for the variables" in fails(
        "convert", source, "--backbone", "resnet50", "--set", "A=1", "-o", tmp_path
    )


V1 = """input: "data" input_dim: 1 input_dim: 3 input_dim: 17 input_dim: 17
layers { name: "conv1_1" type: CONVOLUTION bottom: "data" top: "conv1_1"
  convolution_param { num_output: 6 kernel_size: 3 pad: 2 hole: 2
    weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 } } }
layers { name: "relu" type: RELU bottom: "conv1_1" top: "conv1_1" }
layers { name: "fc8" type: CONVOLUTION bottom: "conv1_1" top: "fc8"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
"""
TUNE = """import sys
sys.path.insert(0, sys.argv[1])
import torch
from net import load

net = load(sys.argv[1] + "/net.pt").train()
torch.manual_seed(0)
x, labels = torch.randn(2, 3, 17, 17), torch.randint(0, 3, (2, 17, 17))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(20):
    loss = torch.nn.functional.cross_entropy(net(x), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
torch.save(net.state_dict(), sys.argv[1] + "/fine.pt")
torch.save((x, net.eval()(x).detach()), sys.argv[1] + "/scores.pt")
assert "deeplab_caffe" not in sys.modules
"""


@pytest.mark.slow
@pytest.mark.usefixtures("quick_exports")
def test_exported_tuned_in_plain_torch_and_back(tmp_path, succeeds):
    model, first, out = tmp_path / "net.prototxt", tmp_path / "first.caffemodel", tmp_path / "out"
    model.write_text(V1)
    before = Net(model)
    before.save(first, "v1")
    succeeds("export", "--model", model, "--weights", first, "--to", "torch,npz", "-o", out)
    # Nothing done to them, they come back to the bit.
    for name in ("net.pt", "net.npz"):
        assert "4 tensors in V1 records" in succeeds(
            "convert", out / name, "--model", model, "-o", out / "same"
        )
        same = Net(model, out / "same/weights.caffemodel")
        for layer, blobs in before.params.items():
            for one, other in zip(same.params[layer], blobs, strict=True):
                assert torch.equal(one.values(), other.values())
    (tmp_path / "tune.py").write_text(TUNE)
    run = fresh.run(tmp_path / "tune.py", out, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    losses = [float(line) for line in run.stdout.split()]
    assert len(losses) == 20 and losses[-1] < losses[0]
    succeeds("convert", out / "fine.pt", "--model", model, "-o", out / "back")
    x, scores = torch.load(out / "scores.pt")
    tuned = Net(model, out / "back/weights.caffemodel")(x)
    torch.testing.assert_close(tuned, scores, rtol=1e-5, atol=1e-5)
    assert (tuned - before(x)).abs().max() > 0.1
