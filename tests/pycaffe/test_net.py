"""caffe.Net as scripts use it: against the package's own Net, bit for bit."""

import numpy as np
import pytest
import torch

import deeplab_caffe.pycaffe as caffe
from deeplab_caffe.engine.net import Net as EngineNet
from deeplab_caffe.errors import DeepLabError

from .conftest import LOSS, NET

# Each test twice, see the fixture. An array that was taken before the last forward shows old values of what
# is on a device, in Caffe as here.
pytestmark = pytest.mark.usefixtures("place")
in_main_memory = pytest.mark.parametrize("place", ["main memory"], indirect=True)

X = np.random.default_rng(1).standard_normal((2, 3, 8, 9)).astype(np.float32)
BACK = "force_backward: true\n"


@pytest.fixture
def net(write):
    return caffe.Net(write(NET), caffe.TEST)


@pytest.fixture
def trained(write):
    return caffe.Net(write(BACK + NET + LOSS), caffe.TRAIN)


def twin(net, write, text, phase="test"):
    """The package's own net with the same parameters."""
    other = EngineNet(write(text, "twin.prototxt"), phase=phase)
    for name, blobs in net.params.items():
        for own, blob in zip(other.params[name], blobs, strict=True):
            own.data = blob.data
    return other


def test_names(net):
    assert net.inputs == ["data"] and net.outputs == ["sum"]
    splits = [f"pool_pool_0_split_{i}" for i in (0, 1)]
    assert list(net.blobs) == ["data", "conv1", "pool", *splits, "left", "right", "sum"]
    assert list(net._layer_names) == [
        *("input", "conv1", "relu1", "pool", "pool_pool_0_split", "left", "right", "sum")
    ]
    assert [layer.type for layer in net.layers][:3] == ["Input", "Convolution", "ReLU"]
    assert net.bottom_names["right"] == splits[1:] and net.top_names["relu1"] == ["conv1"]
    assert list(net.params) == ["conv1", "left", "right"]
    assert [blob.shape for blob in net.params["left"]] == [(5, 4, 3, 3), (5,)]
    assert net.layer_dict["left"].blobs[0] is net.params["left"][0]
    assert list(net.blob_loss_weights.values()) == [0] * len(net.blobs)


def test_forward_gives_the_bits(net, write):
    result = net.forward(data=X, blobs=["conv1", "pool"])
    expected = twin(net, write, NET).forward(["sum", "conv1", "pool"], data=X)
    assert result.keys() == expected.keys()
    for name, tensor in expected.items():
        assert result[name].tobytes() == tensor.numpy().tobytes()


@in_main_memory
def test_arrays_stay_views(net):
    """Held across forwards, as scripts do."""
    data, total = net.blobs["data"].data, net.blobs["sum"].data
    assert data.dtype == np.float32 and data.shape == (2, 3, 8, 9)
    data[...] = X
    assert net.forward()["sum"] is not total and np.shares_memory(net.forward()["sum"], total)
    before = total.copy()
    data[0] *= 2
    net.forward()
    assert (total[0] != before[0]).any() and total[1].tobytes() == before[1].tobytes()


def test_weights_written_to_are_read(net):
    """Also through an array that was taken before the last forward."""
    weights, bias = (blob.data for blob in net.params["right"])
    net.forward(data=X)
    before = net.blobs["right"].data.copy()
    weights[...], bias[...] = 0, 7
    assert (net.forward(data=X)["sum"] == net.blobs["left"].data + 7).all()
    del weights, bias
    net.forward(data=X)
    net.params["right"][0].data.flat[0] = 1
    net.forward(data=X)
    assert not (net.blobs["right"].data == 7).all() and before.shape == net.blobs["right"].data.shape


def test_start_and_end(net):
    whole = net.forward(data=X)["sum"].copy()
    assert list(net.forward(end="pool", data=X)) == ["pool"]
    net.blobs["sum"].data[...] = 0
    assert net.forward(start="left")["sum"].tobytes() == whole.tobytes()
    net.blobs["pool"].data[...] = 0  # its Split shares the values
    assert not net.blobs["pool_pool_0_split_1"].data.any()
    assert not net.forward(start="left", end="left")["left"].any()


def test_reshape(net, write):
    small = net.blobs["sum"].data.shape
    net.blobs["data"].reshape(1, 3, 16, 12)
    net.reshape()
    assert net.blobs["sum"].data.shape == (1, 5, 8, 6) != small
    x = np.random.default_rng(2).standard_normal((1, 3, 16, 12))
    net.blobs["data"].data[...] = x
    expected = twin(net, write, NET)(x).numpy()
    assert net.forward()["sum"].tobytes() == expected.tobytes()
    net.blobs["data"].reshape(1, 3, 10, 10)
    assert net.forward()["sum"].shape == (1, 5, 5, 5)  # without reshape(), too


def test_wrong_inputs(net):
    with pytest.raises(ValueError, match="do not match net inputs: data"):
        net.forward(image=X)
    with pytest.raises(ValueError, match="Input 'data' is not batch sized"):
        net.forward(data=X[:1])
    with pytest.raises(ValueError, match="broadcast"):
        net.forward(data=X[:, :, :4])
    with pytest.raises(ValueError, match="'nowhere' is not in list"):
        net.forward(start="nowhere")


def test_backward_gives_the_gradients(trained, write):
    text = BACK + NET + LOSS
    other = twin(trained, write, text, "train")
    x = torch.from_numpy(X.copy()).requires_grad_()
    other.forward_train(data=x).loss.backward()
    trained.forward(data=X)
    diffs = trained.backward(diffs=["sum"])
    assert list(diffs) == ["data", "sum"]
    np.testing.assert_array_equal(diffs["data"], x.grad)
    for name, blobs in trained.params.items():
        for blob, own in zip(blobs, other.params[name], strict=True):
            assert blob.diff.tobytes() == own.diff.numpy().tobytes()
    assert diffs["sum"].any()


@in_main_memory
def test_diffs_add_up_until_cleared(trained):
    trained.forward(data=X)
    trained.backward()
    held = trained.params["left"][0].diff
    once, data = held.copy(), trained.blobs["data"].diff.copy()
    trained.backward()
    np.testing.assert_allclose(held, 2 * once, rtol=1e-5)
    assert trained.blobs["data"].diff.tobytes() == data.tobytes()
    trained.clear_param_diffs()
    assert not held.any()


def test_split_diffs_sum(write):
    net = caffe.Net(write(BACK + NET), caffe.TEST)
    net.forward(data=X)
    # No loss: but for force_backward nothing would run backwards.
    net.backward(sum=np.ones(net.blobs["sum"].shape))
    parts = [net.blobs[f"pool_pool_0_split_{i}"].diff for i in (0, 1)]
    np.testing.assert_array_equal(net.blobs["pool"].diff, parts[0] + parts[1])
    assert parts[0].any() and parts[1].any()
    with pytest.raises(ValueError, match="do not match net outputs: sum"):
        net.backward(pool=X)


def test_backward_without_a_loss_does_nothing(net):
    net.forward(data=X)
    assert not net.backward(sum=np.ones(net.blobs["sum"].shape))["data"].any()


def test_backward_of_a_part(write):
    net = caffe.Net(write(BACK + NET), caffe.TEST)
    net.blobs["pool_pool_0_split_1"].data[...] = 1
    net.blobs["right"].diff[...] = 2
    diffs = net.backward(start="right", end="right")
    weights = net.params["right"][0]
    assert list(diffs) == ["pool_pool_0_split_1"]
    np.testing.assert_allclose(
        diffs["pool_pool_0_split_1"][0, :, 0, 0], 2 * weights.data.sum(0).ravel(), rtol=1e-5
    )
    np.testing.assert_allclose(weights.diff, np.full(weights.shape, 2 * 2 * 20))


def test_loss(trained):
    trained.forward(data=X)
    loss = trained._forward(0, len(trained.layers) - 1)
    assert loss == trained.blobs["loss"].data == trained.forward()["loss"] > 0
    assert trained.blobs["loss"].diff == 1 and trained.blobs["loss"].data.shape == ()
    trained.backward()
    once = trained.blobs["sum"].diff.copy()
    trained.blobs["loss"].diff[...] = 2
    trained.backward()
    np.testing.assert_allclose(trained.blobs["sum"].diff, 2 * once, rtol=1e-6)
    assert trained.blobs["label"].data.max() == 3
    trained.blobs["label"].data[...] = 0  # constant data stays what a script makes of it
    assert trained.forward()["loss"] != loss and not trained.blobs["label"].data.any()


def test_in_place_layer_knows_what_it_overwrote(write):
    text = 'force_backward: true input: "x" input_shape { dim: 4 }'
    text += ' layer { name: "s" type: "Sigmoid" bottom: "x" top: "x" }'
    for phase in caffe.TRAIN, caffe.TEST:
        net = caffe.Net(write(text), phase)
        net.blobs["x"].data[...] = [-2, 0, 1, 3]
        y = net.forward()["x"].copy()
        net.blobs["x"].diff[...] = 1
        np.testing.assert_allclose(net.backward()["x"], y * (1 - y), rtol=1e-6)


def test_forward_all(net):
    many = np.random.default_rng(3).standard_normal((5, 3, 8, 9)).astype(np.float32)
    result = net.forward_all(data=many, blobs=["pool"])
    assert result["sum"].shape == (5, 5, 4, 5) and result["pool"].shape == (5, 4, 4, 5)
    for i in range(5):
        batch = np.stack([many[i], many[i]])
        assert net.forward(data=batch)["sum"][0].tobytes() == result["sum"][i].tobytes()


def test_forward_backward_all(write):
    net = caffe.Net(write(BACK + NET), caffe.TEST)
    many = np.random.default_rng(3).standard_normal((3, 3, 8, 9)).astype(np.float32)
    ones = np.ones((3, 5, 4, 5), np.float32)
    values, diffs = net.forward_backward_all(data=many, sum=ones)
    assert values["sum"].shape == ones.shape and diffs["data"].shape == many.shape
    net.forward(data=many[:2])
    assert net.backward(sum=ones[:2])["data"].tobytes() == diffs["data"][:2].tobytes()


def test_callbacks(trained):
    calls = []
    for when in "before_forward", "after_forward", "before_backward", "after_backward":
        getattr(trained, when)(lambda layer, when=when: calls.append((when, layer)))
    trained.forward(end="conv1", data=X)
    assert calls == [(f"{when}_forward", n) for n in (0, 1) for when in ("before", "after")]
    calls.clear()
    trained.backward(end="loss")
    last = len(trained.layers) - 1
    assert calls == [("before_backward", last), ("after_backward", last)]


@pytest.mark.parametrize("kind", ["save", "save_hdf5"])
def test_saving(net, write, tmp_path, kind):
    path = str(tmp_path / "weights")
    getattr(net, kind)(path)
    other = caffe.Net(write(NET), caffe.TEST, weights=path)
    third = caffe.Net(write(NET), caffe.TEST)
    held = third.params["left"][0].data
    third.load_hdf5(path) if kind == "save_hdf5" else third.copy_from(path)
    for name, blobs in net.params.items():
        for a, b, c in zip(blobs, other.params[name], third.params[name], strict=True):
            assert a.data.tobytes() == b.data.tobytes() == c.data.tobytes()
    assert held.tobytes() == net.params["left"][0].data.tobytes()
    assert third.forward(data=X)["sum"].tobytes() == net.forward(data=X)["sum"].tobytes()


def test_share_with(net, write):
    other = caffe.Net(write(NET), caffe.TEST)
    held = other.params["right"][0]
    other.share_with(net)
    net.params["right"][0].data[...] = 0.5
    assert (held.data == 0.5).all()
    assert other.forward(data=X)["sum"].tobytes() == net.forward(data=X)["sum"].tobytes()
    held.diff[...] = 1
    assert not net.params["right"][0].diff.any()


def test_ways_to_make_one(write, tmp_path, capfd):
    net = caffe.Net(write(NET), caffe.TEST)
    weights = str(tmp_path / "w.caffemodel")
    net.save(weights)
    ways = [
        caffe.Net(write(NET), weights, caffe.TEST),
        caffe.Net(write(NET), caffe.TEST, 0, None, weights),
        caffe.Net(network_file=write(NET), weights=weights, phase=caffe.TEST),
        caffe.Net(write(NET), weights),
    ]
    assert "DEPRECATION WARNING" in capfd.readouterr().err
    for made in ways:
        assert made.params["conv1"][0].data.tobytes() == net.params["conv1"][0].data.tobytes()
    for wrong in (write(NET) + "x", caffe.TEST), (write(NET), weights + "x", caffe.TEST):
        with pytest.raises(RuntimeError, match="Could not open file"):
            caffe.Net(*wrong)
    with pytest.raises(TypeError, match="phase None given"):
        caffe.Net(write(NET))
    with pytest.raises(DeepLabError, match="unknown bottom blob"):
        caffe.Net(write(NET.replace('bottom: "pool"', 'bottom: "pol"')), caffe.TEST)


def test_level_and_stages(write):
    layer = 'layer { name: "%s" type: "AbsVal" bottom: "x" top: "%s" include { %s } }\n'
    text = 'input: "x" input_shape { dim: 1 }\n'
    text += layer % ("a", "a", 'stage: "a"') + layer % ("b", "b", "min_level: 1")
    assert caffe.Net(write(text), caffe.TEST).outputs == ["x"]
    assert caffe.Net(write(text), caffe.TEST, stages=["a"]).outputs == ["a"]
    assert caffe.Net(write(text), caffe.TRAIN, level=1, stages=["a"]).outputs == ["a", "b"]


def test_seeds(write):
    def weights():
        return caffe.Net(write(NET), caffe.TEST).params["conv1"][0].data.tobytes()

    first, second = weights(), weights()
    caffe.set_random_seed(1)
    assert weights() == first != second


def test_memory_data(write):
    text = 'layer { name: "m" type: "MemoryData" top: "x" top: "label"'
    text += " memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 } }"
    net = caffe.Net(write(text), caffe.TEST)
    x = np.arange(24, dtype=np.float32).reshape(4, 1, 2, 3)
    net.set_input_arrays(x, np.arange(4, dtype=np.float32))
    for first in 0, 2, 0:
        result = net.forward()
        assert (result["x"] == x[first : first + 2]).all()
        assert result["label"].ravel().tolist() == [first, first + 1]
    with pytest.raises(DeepLabError, match="multiple of batch_size 2"):
        net.set_input_arrays(x[:3], np.arange(3, dtype=np.float32))


def test_no_memory_data(net):
    with pytest.raises(RuntimeError, match="first layer is a MemoryDataLayer"):
        net.set_input_arrays(X, np.zeros(2, np.float32))


def test_shared_weights(write):
    conv = """layer { name: "%s" type: "Convolution" bottom: "%s" top: "%s" param { name: "w" }
      convolution_param { num_output: 1 kernel_size: 1 bias_term: false weight_filler { value: 3 } } }\n"""
    text = 'force_backward: true input: "x" input_shape { dim: 1 dim: 1 dim: 1 dim: 1 }\n'
    net = caffe.Net(write(text + conv % ("a", "x", "a") + conv % ("b", "a", "b")), caffe.TEST)
    net.params["a"][0].data[...] = 5
    assert net.params["b"][0].data == 5 and net.forward(x=np.ones((1, 1, 1, 1)))["b"] == 25
    net.backward(b=np.ones((1, 1, 1, 1)))
    assert net.params["a"][0].diff == net.params["b"][0].diff == 10
