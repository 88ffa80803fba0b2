"""What scripts do with a net: make it, feed it, run it, look at it, keep it."""

import pickle

import numpy as np
import pytest


@pytest.fixture
def net(caffe):
    return caffe.Net("deploy.prototxt", "tiny.caffemodel", caffe.TEST)


def some(*shape):
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


def test_mode_cpu(caffe):
    caffe.set_mode_cpu()


def test_mode_gpu(caffe):
    caffe.set_device(0)
    caffe.set_mode_gpu()
    net = caffe.Net("deploy.prototxt", caffe.TEST)
    assert net.forward()["prob"].shape == (1, 5)
    caffe.set_mode_cpu()


def test_net_with_weights_second(caffe):
    net = caffe.Net("deploy.prototxt", "tiny.caffemodel", caffe.TEST)
    assert net.params["conv1"][0].data.any()


def test_net_without_weights(caffe):
    net = caffe.Net("deploy.prototxt", caffe.TRAIN)
    assert (net.params["conv1"][1].data == np.float32(0.1)).all()


def test_net_with_weights_by_name(caffe):
    net = caffe.Net("deploy.prototxt", caffe.TEST, weights="tiny.caffemodel")
    same = caffe.Net(network_file="deploy.prototxt", phase=caffe.TEST, weights="tiny.caffemodel")
    assert (net.params["fc6"][0].data == same.params["fc6"][0].data).all()


def test_copy_from(caffe, net):
    other = caffe.Net("deploy.prototxt", caffe.TEST)
    other.copy_from("tiny.caffemodel")
    assert (other.params["fc6"][0].data == net.params["fc6"][0].data).all()


def test_no_such_file(caffe):
    with pytest.raises(RuntimeError):
        caffe.Net("none.prototxt", caffe.TEST)


def test_fill_input(net):
    image = some(3, 12, 12)
    net.blobs["data"].data[...] = image
    out = net.forward()
    assert out["prob"][0].argmax() in range(5)
    assert abs(out["prob"].sum() - 1) < 1e-5
    assert (net.blobs["data"].data[0] == image).all()


def test_forward_with_inputs(net):
    out = net.forward(data=some(1, 3, 12, 12))
    assert list(out) == ["prob"]
    with pytest.raises(Exception, match="do not match"):
        net.forward(image=some(1, 3, 12, 12))


def test_forward_all(net):
    many = net.forward_all(data=np.asarray([some(3, 12, 12)] * 3))
    assert many["prob"].shape == (3, 5)
    assert (many["prob"][0] == many["prob"][2]).all()


def test_forward_with_blobs(net):
    out = net.forward(blobs=["conv1", "pool1"])
    assert sorted(out) == ["conv1", "pool1", "prob"]


def test_forward_to_and_from_a_layer(net):
    net.blobs["data"].data[...] = some(1, 3, 12, 12)
    whole = net.forward()["prob"].copy()
    features = net.forward(end="pool1")
    assert list(features) == ["pool1"]
    assert (net.forward(start="fc6")["prob"] == whole).all()


def test_batch_by_reshape(net):
    net.blobs["data"].reshape(6, 3, 12, 12)
    net.blobs["data"].data[...] = some(6, 3, 12, 12)
    assert net.forward()["prob"].shape == (6, 5)


def test_reshape_for_each_image(caffe):
    net = caffe.Net("full_conv.prototxt", caffe.TEST)
    for image in (some(3, 14, 16), some(3, 20, 12)):
        net.blobs["data"].reshape(1, *image.shape)
        net.reshape()
        net.blobs["data"].data[...] = image
        net.forward()
        assert net.blobs["prob"].data[0].shape == (5, image.shape[1] // 2 - 5, image.shape[2] // 2 - 5)


def test_blob_shapes(net):
    lines = [f"{name}\t{blob.data.shape}" for name, blob in net.blobs.items()]
    assert lines[:2] == ["data\t(1, 3, 12, 12)", "conv1\t(1, 4, 12, 12)"]
    assert [(k, v[0].data.shape, v[1].data.shape) for k, v in net.params.items()] == [
        ("conv1", (4, 3, 3, 3), (4,)),
        ("fc6", (5, 144), (5,)),
    ]


def test_blob_sizes(net):
    blob = net.blobs["data"]
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (1, 3, 12, 12, 432)
    assert tuple(blob.shape) == (1, 3, 12, 12)
    assert blob.data.dtype == blob.diff.dtype == np.float32


def test_inputs_and_outputs(net):
    out = net.forward_all(**{net.inputs[0]: some(1, 3, 12, 12)})
    assert out[net.outputs[0]].shape == (1, 5)


def test_layers(net):
    assert list(net._layer_names) == ["data", "conv1", "relu1", "pool1", "fc6", "prob"]
    assert [layer.type for layer in net.layers] == [
        "Input",
        "Convolution",
        "ReLU",
        "Pooling",
        "InnerProduct",
        "Softmax",
    ]
    convs = [
        name for name, layer in zip(net._layer_names, net.layers, strict=True) if layer.type == "Convolution"
    ]
    assert convs == ["conv1"]
    assert net.layers[1].blobs[0].data.shape == (4, 3, 3, 3)
    assert net.layer_dict["pool1"].type == "Pooling"


def test_top_and_bottom_names(net):
    assert net.top_names["conv1"] == ["conv1"]
    assert net.bottom_names["fc6"] == ["pool1"]
    assert dict(net.blob_loss_weights)["prob"] == 0


def test_features(net):
    net.blobs["data"].data[...] = some(1, 3, 12, 12)
    net.forward()
    feat = net.blobs["conv1"].data[0, :3]
    assert feat.min() >= 0 and feat.shape == (3, 12, 12)
    flat = net.blobs["fc6"].data[0].flatten()
    assert flat.shape == (5,)
    filters = net.params["conv1"][0].data.transpose(0, 2, 3, 1)
    assert filters.shape == (4, 3, 3, 3)


def test_arrays_are_views(net):
    data = net.blobs["fc6"].data
    kept = data.copy()
    net.forward(data=some(1, 3, 12, 12))
    assert (data == net.blobs["fc6"].data).all()
    assert not (kept == data).all()


def test_top_five(net):
    net.forward(data=some(1, 3, 12, 12))
    top_k = net.blobs["prob"].data[0].flatten().argsort()[-1:-6:-1]
    assert sorted(top_k.tolist()) == list(range(5))


def test_save(caffe, net):
    net.params["conv1"][1].data[...] = 7
    net.save("changed.caffemodel")
    again = caffe.Net("deploy.prototxt", "changed.caffemodel", caffe.TEST)
    assert (again.params["conv1"][1].data == 7).all()


def test_save_hdf5(caffe, net):
    net.params["fc6"][1].data[...] = 3
    net.save_hdf5("tiny.h5")
    again = caffe.Net("deploy.prototxt", caffe.TEST)
    again.load_hdf5("tiny.h5")
    assert (again.params["fc6"][1].data == 3).all()


def test_share_with(caffe, net):
    other = caffe.Net("deploy.prototxt", caffe.TEST)
    other.share_with(net)
    net.params["fc6"][1].data[...] = 5
    assert (other.params["fc6"][1].data == 5).all()


def test_weights_as_numpy(net):
    weights = {name: [blob.data.copy() for blob in blobs] for name, blobs in net.params.items()}
    with open("weights.pkl", "wb") as file:
        pickle.dump(weights, file)
    np.save("conv1.npy", net.params["conv1"][0].data)
    np.savez("all.npz", **{f"{k}_{i}": b.data for k, v in net.params.items() for i, b in enumerate(v)})
    assert (np.load("conv1.npy") == net.params["conv1"][0].data).all()
    assert sorted(np.load("all.npz")) == ["conv1_0", "conv1_1", "fc6_0", "fc6_1"]


def test_count_parameters(net):
    assert sum(blob.data.size for blobs in net.params.values() for blob in blobs) == 4 * 27 + 4 + 5 * 144 + 5
    assert net.params["fc6"][0].count == 720


def test_saliency(caffe):
    with open("deploy.prototxt") as file:
        text = file.read()
    with open("forced.prototxt", "w") as file:
        file.write("force_backward: true\n" + text)
    net = caffe.Net("forced.prototxt", "tiny.caffemodel", caffe.TEST)
    net.forward(data=some(1, 3, 12, 12))
    net.blobs["fc6"].diff[...] = 0
    net.blobs["fc6"].diff[0, 2] = 1
    gradient = net.backward(start="fc6")["data"]
    assert gradient.shape == (1, 3, 12, 12) and gradient.any()
    assert (net.blobs["data"].diff == gradient).all()


def test_backward_with_diffs(caffe):
    net = caffe.Net("train_val.prototxt", caffe.TRAIN)
    net.forward()
    net.backward()
    assert net.params["conv1"][0].diff.any()
    net.clear_param_diffs()
    assert not net.params["conv1"][0].diff.any()
    net.forward()
    assert net.backward(diffs=["pool1"])["pool1"].shape == (4, 4, 6, 6)


def test_forward_backward_all(caffe):
    with open("deploy.prototxt") as file:
        text = "force_backward: true\n" + file.read()
    with open("forced.prototxt", "w") as file:
        file.write(text)
    net = caffe.Net("forced.prototxt", caffe.TEST)
    blobs, diffs = net.forward_backward_all(data=some(3, 3, 12, 12), prob=some(3, 5))
    assert (blobs["prob"].shape, diffs["data"].shape) == ((3, 5), (3, 3, 12, 12))


def test_callbacks(net):
    seen = []
    net.before_forward(lambda layer: seen.append(("before", layer)))
    net.after_forward(lambda layer: seen.append(("after", layer)))
    net.forward()
    assert seen[:3] == [("before", 0), ("after", 0), ("before", 1)] and len(seen) == 12


def test_memory_data(caffe):
    net = caffe.Net("memory.prototxt", caffe.TEST)
    data, labels = some(4, 3, 12, 12), np.arange(4, dtype=np.float32)
    net.set_input_arrays(data, labels)
    net.forward()
    assert (net.blobs["data"].data == data[:2]).all()
    net.forward()
    assert net.blobs["label"].data.flatten().tolist() == [2, 3]


def test_what_caffe_is(caffe):
    assert caffe.__version__
    assert "Convolution" in list(caffe.layer_type_list())
    caffe.set_random_seed(5)
    one = caffe.Net("deploy.prototxt", caffe.TEST).params["conv1"][0].data.copy()
    caffe.set_random_seed(5)
    assert (caffe.Net("deploy.prototxt", caffe.TEST).params["conv1"][0].data == one).all()
    timer = caffe.Timer()
    timer.start()
    timer.stop()
    assert timer.ms >= 0
