"""Whole nets on the device: the CPU's bits in every top, and what surrounds the kernels."""

import numpy as np
import pytest
import torch

from deeplab_caffe import DeepLabError, Net, ops
from deeplab_caffe.assets import asset
from deeplab_caffe.engine import cuda_graph
from deeplab_caffe.engine.random_weights import random_weights
from deeplab_caffe.ops import devices

# Every layer that has kernels and a few that have none; no convolution.
PLAIN = """
name: "plain"
input: "data" input_dim: 2 input_dim: 5 input_dim: 19 input_dim: 17
layer { name: "pool1" type: "Pooling" bottom: "data" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "norm" type: "BatchNorm" bottom: "pool1" top: "norm" }
layer { name: "scale" type: "Scale" bottom: "norm" top: "scale" scale_param { bias_term: true
  filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "scale" top: "scale" relu_param { negative_slope: 0.1 } }
layer { name: "prelu" type: "PReLU" bottom: "norm" top: "prelu" }
layer { name: "lrn" type: "LRN" bottom: "scale" top: "lrn" lrn_param { local_size: 3 } }
layer { name: "sum" type: "Eltwise" bottom: "lrn" bottom: "prelu" bottom: "pool1" top: "sum"
  eltwise_param { operation: SUM coeff: 0.5 coeff: -1 coeff: 2 } }
layer { name: "max" type: "Eltwise" bottom: "sum" bottom: "norm" top: "max" eltwise_param { operation: MAX } }
layer { name: "average" type: "Pooling" bottom: "max" top: "average"
  pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "sigmoid" type: "Sigmoid" bottom: "average" top: "sigmoid" }
layer { name: "tanh" type: "TanH" bottom: "average" top: "tanh" }
layer { name: "power" type: "Power" bottom: "sigmoid" top: "power" power_param { power: 0.5 shift: 1 } }
layer { name: "concat" type: "Concat" bottom: "tanh" bottom: "sigmoid" bottom: "power" top: "concat" }
layer { name: "drop" type: "Dropout" bottom: "concat" top: "concat" }
layer { name: "slice" type: "Slice" bottom: "concat" top: "one" top: "two" slice_param { slice_point: 7 } }
layer { name: "up" type: "Interp" bottom: "two" top: "up" interp_param { zoom_factor: 4 } }
layer { name: "prob" type: "Softmax" bottom: "up" top: "prob" }
layer { name: "best" type: "ArgMax" bottom: "up" top: "best" argmax_param { axis: 1 } }
layer { name: "top2" type: "ArgMax" bottom: "prob" top: "top2" argmax_param { axis: 1 top_k: 2 } }
layer { name: "log" type: "Log" bottom: "prob" top: "log" }
layer { name: "labels" type: "Interp" bottom: "one" top: "large" interp_param { height: 23 width: 30 } }
layer { name: "map" type: "ArgMax" bottom: "large" top: "map" argmax_param { axis: 1 } }
"""


# Convolutions with what is fused with them, deconvolution, inner product.
CONVOLUTIONS = """
name: "convolutions"
input: "data" input_dim: 2 input_dim: 3 input_dim: 17 input_dim: 19
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 12 kernel_size: 3 pad: 1 bias_filler { value: 0.1 }
  weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2" convolution_param { bias_term: false
  num_output: 12 kernel_size: 3 pad: 2 dilation: 2 group: 3 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "bn2" type: "BatchNorm" bottom: "conv2" top: "conv2" }
layer { name: "scale2" type: "Scale" bottom: "conv2" top: "conv2" scale_param { bias_term: true } }
layer { name: "sum" type: "Eltwise" bottom: "conv1" bottom: "conv2" top: "sum" }
layer { name: "relu2" type: "ReLU" bottom: "sum" top: "sum" }
layer { name: "bn3" type: "BatchNorm" bottom: "sum" top: "bn3" }
layer { name: "depthwise" type: "Convolution" bottom: "bn3" top: "depthwise" convolution_param { group: 12
  num_output: 12 kernel_size: 3 stride: 2 pad: 1 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "aspp1" type: "Convolution" bottom: "depthwise" top: "aspp1" convolution_param {
  num_output: 5 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "aspp2" type: "Convolution" bottom: "depthwise" top: "aspp2" convolution_param {
  num_output: 5 kernel_size: 3 pad: 6 dilation: 6 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "scores" type: "Eltwise" bottom: "aspp1" bottom: "aspp2" top: "scores" }
layer { name: "up" type: "Deconvolution" bottom: "scores" top: "up" convolution_param {
  num_output: 5 kernel_size: 4 stride: 2 pad: 1 group: 5 bias_term: false
  weight_filler { type: "bilinear" } } }
layer { name: "prob" type: "Softmax" bottom: "up" top: "prob" }
layer { name: "class" type: "InnerProduct" bottom: "scores" top: "class" inner_product_param {
  num_output: 4 weight_filler { type: "gaussian" std: 0.1 } bias_filler { value: 1 } } }
"""


@pytest.fixture
def convolutions(tmp_path):
    path = tmp_path / "convolutions.prototxt"
    path.write_text(CONVOLUTIONS)
    return path


def randomize(net):
    """Statistics and scales that are not all 0 and 1."""
    generator = torch.Generator().manual_seed(7)
    for name, blobs in net.params.items():
        if name.startswith(("bn", "scale")):
            for i, blob in enumerate(blobs):
                blob.data = torch.rand(blob.shape, generator=generator) + (0.5 if i != 2 else 1)


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.prototxt"
    path.write_text(PLAIN)
    return path


def assert_same_bits(ours, theirs):
    assert list(ours) == list(theirs)
    for name in ours:
        assert torch.equal(ours[name].cpu().view(torch.int32), theirs[name].view(torch.int32)), name


def image(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape))) * 3


def on_device(device, **options):
    return options if device.emulated else {**options, "device": "cuda"}


def tops_of(net, **inputs):
    tops = {}

    def note(index, layer, named):
        tops.update({f"{index} {name}": top.cpu().clone() for name, top in named.items()})

    net.forward(on_layer=note, **inputs)
    return tops


def test_every_top_has_the_cpus_bits(device, plain):
    cpu, x, smaller = Net(plain), image(2, 5, 19, 17), image(1, 5, 9, 12)
    tops, wanted = tops_of(cpu, data=x), cpu.forward(data=x)
    parts = {name: cpu.forward(outputs=[name], data=x) for name in ("map", "large")}
    wanted_smaller = cpu.forward(data=smaller)
    with device.kernels():
        net = Net(plain, **on_device(device))
        assert_same_bits(tops_of(net, data=x), tops)
        for _ in range(3):  # plain, captured, replayed
            assert_same_bits(net.forward(data=x), wanted)
        for _ in range(3):
            assert_same_bits(net.forward(data=smaller), wanted_smaller)
        for name, part in parts.items():
            assert_same_bits(net.forward(outputs=[name], data=x), part)


def test_convolutions_have_the_cpus_bits(device, convolutions):
    cpu, x = Net(convolutions), image(2, 3, 17, 19)
    randomize(cpu)
    tops, wanted, weights = tops_of(cpu, data=x), cpu.forward(data=x), cpu.params["conv1"][0].data
    with device.kernels():
        net = Net(convolutions, **on_device(device))
        randomize(net)
        assert_same_bits(tops_of(net, data=x), tops)
        for _ in range(3):
            assert_same_bits(net.forward(data=x), wanted)
        assert torch.equal(net.params["conv1"][0].data.cpu(), weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deeplab_v3plus/mobilenet_v2", "deeplab_v3/torchvision_mobilenet_v3_large"])
def test_real_nets_have_the_cpus_bits(device, name, tmp_path):
    model, x = asset(f"prototxt/{name}/deploy.prototxt"), image(1, 3, 33, 33) * 20
    cpu = Net(model, inputs={"data": x.shape})
    random_weights(cpu)
    cpu.save(tmp_path / "w.caffemodel")
    wanted = cpu.forward(data=x)
    with device.kernels():
        net = Net(model, tmp_path / "w.caffemodel", inputs={"data": x.shape}, **on_device(device))
        assert_same_bits(net.forward(data=x), wanted)


@pytest.mark.parametrize(
    ("precision", "error"), [("fp32", 5e-6), ("tf32", 5e-3), ("bf16", 5e-2), ("fp16", 5e-3)]
)
def test_fast_precisions_are_near(device, convolutions, precision, error):
    cpu, x = Net(convolutions), image(2, 3, 17, 19)
    randomize(cpu)
    wanted = cpu.forward(outputs=["scores", "class", "prob"], data=x)
    with device.kernels():
        net = Net(convolutions, precision=precision, **on_device(device))
        randomize(net)
        for _ in range(3):
            got = net.forward(outputs=["scores", "class", "prob"], data=x)
            for name in ("scores", "class"):
                assert got[name].dtype == torch.float32 and got[name].shape == wanted[name].shape
                distance = (got[name].cpu() - wanted[name]).abs().max() / wanted[name].abs().max()
                assert distance < error, (name, distance)
            assert got["prob"].sum(1).cpu().sub(1).abs().max() < 2e-2


def test_parallel_branches_are_one_launch(device, convolutions, monkeypatch):
    launches = []
    convolve = ops.tensor_core_convs
    monkeypatch.setattr(
        ops, "tensor_core_convs", lambda x, branches: launches.append(len(branches)) or convolve(x, branches)
    )
    with device.kernels():
        net = Net(convolutions, precision="bf16", cuda_graph=False, **on_device(device))
        net.forward(outputs=["aspp1", "aspp2"], data=image(2, 3, 17, 19))
    assert launches == [1, 2]


def test_the_label_map_is_made_without_the_scores(device, plain):
    with device.kernels():
        net = Net(plain, **on_device(device))
        net.forward(outputs=["map"], data=image(2, 5, 19, 17))
        assert "large" not in {value.name for value in net._last}
        nodes = net._plans.schedule(("map",), "forward").nodes
        (interp,) = (node for node in nodes if node.layer.name == "labels")
        assert [layer.name for layer in interp.fused] == ["map"]


def test_weights_may_change_between_forwards(device, plain):
    cpu, x = Net(plain), image(2, 5, 19, 17)
    factors, wanted = (1.0, 2.0, 2.0, -1.0), []
    for factor in factors:
        cpu.params["scale"][0].data = torch.full((5,), factor)
        wanted.append(cpu.forward(data=x))
    with device.kernels():
        net = Net(plain, **on_device(device))
        for factor, expected in zip(factors, wanted, strict=True):
            net.params["scale"][0].data = torch.full((5,), factor)
            for _ in range(3):
                assert_same_bits(net.forward(data=x), expected)


def test_weights_go_to_a_file_and_back(device, plain, tmp_path):
    with device.kernels():
        net = Net(plain, seed=3, **on_device(device))
        net.save(tmp_path / "w.caffemodel")
        other = Net(plain, tmp_path / "w.caffemodel", **on_device(device))
        x = image(2, 5, 19, 17)
        assert_same_bits(other.forward(data=x.numpy()), {k: v.cpu() for k, v in net.forward(data=x).items()})


def test_results_stay_as_they_are(device, plain):
    with device.kernels():
        net = Net(plain, **on_device(device))
        first = [net.forward(data=image(2, 5, 19, 17))["map"] for _ in range(3)]
        kept = [result.clone() for result in first]
        net.forward(data=image(2, 5, 19, 17) + 1)
        assert all(torch.equal(a, b) for a, b in zip(first, kept, strict=True))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_asking_for_a_gpu_without_one(plain):
    with pytest.raises(DeepLabError, match="finds no GPU here"):
        Net(plain, device="cuda")


@pytest.mark.parametrize(
    ("name", "message"), [("tpu", "cpu, cuda or"), ("meta", "cpu, cuda or"), (3.5, "or cuda:")]
)
def test_unknown_devices(plain, name, message):
    with pytest.raises(DeepLabError, match=message):
        Net(plain, device=name)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_device_numbers(plain):
    count = torch.cuda.device_count()
    with pytest.raises(DeepLabError, match=f"only {count} GPUs"):
        Net(plain, device=f"cuda:{count}")
    last = torch.device("cuda", count - 1)
    result = Net(plain, device=last).forward(data=image(2, 5, 19, 17))["map"]
    assert result.device == last


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_streams_follow_each_other(plain):
    net, x = Net(plain, device="cuda"), image(2, 5, 19, 17)
    wanted = [Net(plain).forward(data=x + i)["prob"] for i in range(8)]
    streams = [torch.cuda.Stream() for _ in range(3)]
    results = []
    for i in range(8):
        with torch.cuda.stream(streams[i % 3]):
            results.append(net.forward(data=x + i)["prob"])
    torch.cuda.synchronize()
    assert all(torch.equal(a.cpu(), b) for a, b in zip(results, wanted, strict=True))


@pytest.mark.parametrize(
    ("target", "capability", "runs"),
    [
        ("80", (8, 0), True),
        ("80", (8, 9), True),
        ("86", (8, 0), False),
        ("80", (9, 0), False),
        ("90a", (9, 0), True),
        ("90a", (10, 0), False),
        ("100", (10, 3), True),
        ("120+PTX", (12, 1), True),
        ("90+PTX", (12, 0), True),
        ("120+PTX", (7, 5), False),
    ],
)
def test_targets(target, capability, runs):
    assert devices.runs_on(target, capability) == runs


class Counter:
    """Stands for CapturedRun: replays by running again."""

    made = 0

    def __init__(self, run, inputs):
        Counter.made += 1
        self.run, self.values = run, dict(inputs)

    def __call__(self, inputs):
        self.values.update(inputs)
        return self.run(self.values)


def test_a_graph_is_made_for_the_second_run_and_anew_after_changes(monkeypatch):
    monkeypatch.setattr(cuda_graph, "CapturedRun", Counter)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "before")
    runner = cuda_graph.Runner(captures=True)
    x = torch.zeros(1)

    def run(values):
        return {"y": values["x"] + 1}

    made = []
    for state in (1, 1, 1, 2, 2, 2, 1):
        assert runner(run, {"x": x}, state)["y"].item() == 1
        made.append(Counter.made)
    assert made == [0, 1, 1, 1, 2, 2, 2]
    assert not np.any(x.numpy())


def test_a_run_that_cannot_be_a_graph(monkeypatch):
    def fails(run, inputs):
        raise RuntimeError("operation not permitted when stream is capturing")

    current = []  # torch stays on the capture's stream
    monkeypatch.setattr(cuda_graph, "CapturedRun", fails)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "before")
    monkeypatch.setattr(torch.cuda, "set_stream", current.append)
    runner = cuda_graph.Runner(captures=True)
    assert [runner(lambda values: {"y": 1}, {}, 0)["y"] for _ in range(3)] == [1, 1, 1]
    assert not runner.captures and current == ["before"]
