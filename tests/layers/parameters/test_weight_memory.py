"""Streamed weights: nets whose weights stay in the caffemodel give the bits of nets that hold them."""

import os

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.random_weights import random_weights
from deeplab_caffe.engine.weights import save_weights
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.layers.parameters.weight_memory import WeightMemory

# All layers that pack their weights, a shared parameter, groups, depthwise, rows that fill no tile.
NET = """
name: "streamed" input: "data" input_dim: 1 input_dim: 3 input_dim: 33 input_dim: 41
layer { name: "c1" type: "Convolution" bottom: "data" top: "c1"
  convolution_param { num_output: 36 kernel_size: 7 pad: 3 bias_term: false } }
layer { name: "n1" type: "BatchNorm" bottom: "c1" top: "c1" }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "a" type: "Convolution" bottom: "c1" top: "a" param { name: "shared" } param { name: "b" }
  convolution_param { num_output: 36 kernel_size: 3 pad: 1 } }
layer { name: "b" type: "Convolution" bottom: "a" top: "b" param { name: "shared" } param { name: "b" }
  convolution_param { num_output: 36 kernel_size: 3 pad: 2 dilation: 2 } }
layer { name: "g" type: "Convolution" bottom: "b" top: "g"
  convolution_param { num_output: 42 kernel_size: 5 pad: 2 group: 2 } }
layer { name: "d" type: "Convolution" bottom: "g" top: "d"
  convolution_param { num_output: 42 kernel_size: 11 pad: 5 group: 42 } }
layer { name: "up" type: "Deconvolution" bottom: "d" top: "up"
  convolution_param { num_output: 21 kernel_size: 4 stride: 2 pad: 1 } }
layer { name: "pool" type: "Pooling" bottom: "d" top: "pool"
  pooling_param { pool: AVE global_pooling: true } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 99 } }
"""
STREAMED = {"c1", "a", "b", "g", "d", "up", "ip"}
LIMITS = [0, 100_000, 1 << 40]


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


@pytest.fixture
def weights(model, tmp_path):
    net = Net(model)
    random_weights(net)
    net.save(tmp_path / "net.caffemodel")
    return tmp_path / "net.caffemodel"


def image(height=33, width=41, batch=1):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(height))


def same(ours, wanted):
    return ours.keys() == wanted.keys() and all(torch.equal(ours[name], wanted[name]) for name in wanted)


def streamed(net):
    return {layer.name for layer in net.layers if any(blob.streamed for blob in layer.blobs)}


@pytest.mark.parametrize("limit", LIMITS)
def test_streamed_nets_give_the_same_bits(model, weights, limit):
    resident, net = Net(model, weights), Net(model, weights, weight_memory=limit)
    assert streamed(net) == STREAMED and not streamed(resident)
    for x in (image(), image(), image(40, 29, batch=3), image()):
        assert same(net.forward(data=x), resident.forward(data=x))
    assert streamed(net) == STREAMED
    assert {name: [blob.shape for blob in blobs] for name, blobs in net.params.items()} == {
        name: [blob.shape for blob in blobs] for name, blobs in resident.params.items()
    }


def test_threads_and_layer_by_layer(model, weights):
    x, wanted = image(), Net(model, weights).forward(data=image())
    for threads in (1, 3):
        net = Net(model, weights, threads=threads, weight_memory=0)
        assert same(net.forward(data=x, on_layer=lambda *_: None), wanted)
        assert same(net.forward(["ip"], data=x), {"ip": wanted["ip"]})


def test_the_memory_stays_within_the_limit(model, weights):
    net = Net(model, weights, weight_memory=150_000)
    net(image())
    memory = net._weight_memory
    held = sum(t.numel() for t in memory._held.values())
    assert memory._held and memory._in_room
    assert 4 * (held + memory._room.numel()) <= 150_000
    least = Net(model, weights, weight_memory=0)
    least(image())
    largest = 48 * 18 * 25  # "g": 42 rows in two groups, each filled up to 24
    assert not least._weight_memory._held and least._weight_memory._room.numel() == largest


def test_saving_reading_and_sharing(model, weights, tmp_path):
    net, wanted = Net(model, weights, weight_memory=0), Net(model, weights).forward(data=image())
    net.save(tmp_path / "again.caffemodel")
    assert (tmp_path / "again.caffemodel").read_bytes() == weights.read_bytes()
    net.save(weights)  # over the file it reads from, which lives on
    assert same(net.forward(data=image()), wanted)
    other = Net(model)
    other.share(net)
    assert same(other.forward(data=image()), wanted)
    resident = Net(model, weights)
    for name, blobs in net.params.items():
        for mine, theirs in zip(blobs, resident.params[name], strict=True):
            assert torch.equal(mine.values(), theirs.values())
    assert streamed(net) == STREAMED


def test_two_nets_on_one_file(model, weights):
    nets = [Net(model, weights, weight_memory=limit) for limit in LIMITS]
    resident = Net(model, weights)
    for x in (image(), image(25, 25)):
        results = [net.forward(data=x) for net in nets]
        assert all(same(result, resident.forward(data=x)) for result in results)


def test_what_is_written_is_held(model, weights):
    resident, net = Net(model, weights), Net(model, weights, weight_memory=0)
    net(image())
    for each in (resident, net):
        each.params["a"][0].data[3] *= 2
        each.params["g"][0].data = torch.linspace(-1, 1, each.params["g"][0].count)
    assert streamed(net) == STREAMED - {"a", "b", "g"}
    for x in (image(), image(25, 25)):
        assert same(net.forward(data=x), resident.forward(data=x))


def test_training_holds_the_weights(tmp_path):
    model = tmp_path / "net.prototxt"
    model.write_text(NET[: NET.index('layer { name: "g"')])
    net = Net(model)
    random_weights(net)
    net.save(tmp_path / "net.caffemodel")
    nets = [Net(model, tmp_path / "net.caffemodel", weight_memory=limit) for limit in (None, 0)]
    for net in nets:
        module = net.module()
        module(image()).outputs["b"].sum().backward()
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.requires_grad:
                    parameter -= 0.01 * parameter.grad
    assert not streamed(nets[1])
    assert torch.equal(nets[0](image()), nets[1](image()))
    nets[1].load(tmp_path / "net.caffemodel")  # what is trained is not streamed
    nets[0].load(tmp_path / "net.caffemodel")
    assert not streamed(nets[1]) and torch.equal(nets[0](image()), nets[1](image()))


def test_loading_another_file(model, weights, tmp_path):
    net, other = Net(model, weights, weight_memory=100_000), Net(model)
    net(image())
    random_weights(other, seed=7)
    other.save(tmp_path / "other.caffemodel")
    net.load(tmp_path / "other.caffemodel")
    assert streamed(net) == STREAMED
    assert same(net.forward(data=image()), other.forward(data=image()))


def test_deleted_and_replaced_files_live_on(model, weights):
    net, wanted = Net(model, weights, weight_memory=0), Net(model, weights).forward(data=image())
    random_weights(other := Net(model), seed=5)
    other.save(weights)
    assert same(net.forward(data=image()), wanted)
    weights.unlink()
    assert same(net.forward(data=image()), wanted)


@pytest.mark.parametrize("damage", ["truncated", "written"])
def test_a_changed_file_is_one_line(model, weights, damage):
    net = Net(model, weights, weight_memory=0)
    wanted = net.forward(data=image())
    content = weights.read_bytes()
    with weights.open("r+b") as file:
        if damage == "truncated":
            file.truncate(5000)
        else:
            file.seek(3000)
            file.write(b"1234")
            os.utime(file.fileno(), ns=(1, 1))
    with pytest.raises(
        DeepLabError, match=r"net.caffemodel: layer 'c1', blob 0: the file has changed"
    ) as error:
        net(image())
    assert "\n" not in str(error.value)
    with pytest.raises(DeepLabError, match="has changed"):
        net.params["a"][0].values()
    weights.write_bytes(content)
    net.load(weights)
    assert same(net.forward(data=image()), wanted)


def test_a_read_that_fails_is_one_line(model, weights, monkeypatch):
    monkeypatch.setattr("deeplab_caffe.formats.file_blob.OpenFile.unchanged", True)
    net = Net(model, weights, weight_memory=0)
    os.truncate(weights, 5000)
    with pytest.raises(DeepLabError, match=r"net.caffemodel: layer 'c1', blob 0: cannot be read any more"):
        net(image())
    with pytest.raises(DeepLabError, match="layer 'ip', blob 0: cannot be read any more"):
        net.params["ip"][0].values()


def test_blobs_of_four_axes(model, tmp_path):
    model.write_text("\n".join(line for line in NET.splitlines() if "BatchNorm" not in line))
    net = Net(model)
    random_weights(net)
    net.save(tmp_path / "v1.caffemodel", "v1")
    again = Net(model, tmp_path / "v1.caffemodel", weight_memory=0)
    assert streamed(again) == STREAMED and again.params["ip"][0].shape == (99, 42)
    assert same(again.forward(data=image()), net.forward(data=image()))


def test_other_encodings_are_read_at_once(model, weights):
    wanted = Net(model, weights).forward(data=image())
    content = caffe_pb2.NetParameter.FromString(weights.read_bytes())
    for layer in content.layer:
        if layer.name in ("d", "ip"):
            layer.blobs[0].double_data[:] = layer.blobs[0].data
            layer.blobs[0].ClearField("data")
    weights.write_bytes(content.SerializeToString())
    net = Net(model, weights, weight_memory=0)
    assert streamed(net) == STREAMED - {"d", "ip"} and same(net.forward(data=image()), wanted)


def test_hdf5_is_read_at_once(model, weights, tmp_path):
    wanted = Net(model, weights)
    save_weights(tmp_path / "net.caffemodel.h5", wanted.layers, "hdf5")
    net = Net(model, tmp_path / "net.caffemodel.h5", weight_memory=0)
    assert not streamed(net) and same(net.forward(data=image()), wanted.forward(data=image()))


def test_what_cannot_be_streamed_is_one_line(model, weights):
    for options, message in (
        ({"precision": "bf16"}, "weights are streamed in exact and fp32 on cpu, not bf16 on cpu"),
        ({"weight_memory": -1}, "weight_memory: -1 given"),
    ):
        with pytest.raises(DeepLabError, match=message):
            Net(model, weights, **{"weight_memory": 0, **options})


def test_first_come_stay_and_the_rest_take_turns():
    memory, made = WeightMemory(4 * 300), []
    memory.expect(100)

    def use(key, count):
        def make(allocate):
            made.append(key)
            return allocate(count).fill_(key)

        values = memory.get(key, make)
        assert values.shape == (count,) and values.eq(key).all()

    for _ in range(2):
        for key, count in ((1, 100), (2, 60), (3, 100), (4, 40), (5, 30), (6, 64)):
            use(key, count)
    assert made == [1, 2, 3, 4, 5, 6, 3, 5, 6] and set(memory._held) == {1, 2, 4}
    use(7, 200)  # larger than was expected: all anew
    assert memory._room.numel() == 200 and not memory._held


def test_a_failed_read_leaves_nothing_behind():
    memory = WeightMemory(0)

    def fail(allocate):
        allocate(8)
        raise DeepLabError("no")

    with pytest.raises(DeepLabError):
        memory.get(1, fail)
    assert memory.get(1, lambda allocate: allocate(8).fill_(3)).eq(3).all()
