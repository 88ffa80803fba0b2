"""What scripts do to weights, and to the files that hold nets and weights."""

import numpy as np
import pytest
from google.protobuf import text_format

PATCH = (4, 6, 6)  # of fc6's weights


@pytest.fixture
def net(caffe):
    return caffe.Net("deploy.prototxt", "tiny.caffemodel", caffe.TEST)


def test_fully_connected_to_convolution(caffe, net):
    """BVLC's net surgery: the same numbers in another shape, and the same scores."""
    conv = caffe.Net("full_conv.prototxt", "tiny.caffemodel", caffe.TEST)
    fc_params = {pr: (net.params[pr][0].data, net.params[pr][1].data) for pr in ["fc6"]}
    conv_params = {pr: (conv.params[pr][0].data, conv.params[pr][1].data) for pr in ["fc6-conv"]}
    for pr, pr_conv in zip(["fc6"], ["fc6-conv"], strict=True):
        conv_params[pr_conv][0].flat = fc_params[pr][0].flat
        conv_params[pr_conv][1][...] = fc_params[pr][1]
    conv.save("full_conv.caffemodel")
    assert conv.params["fc6-conv"][0].data.shape == (5, *PATCH)
    image = np.random.default_rng(0).standard_normal((1, 3, 16, 20)).astype(np.float32)
    out = conv.forward_all(data=image)["prob"]
    assert out.shape == (1, 5, 3, 5)
    net.forward(data=image[:, :, :12, :12])
    # The corner sees the window's own border at two sides only, so its inner part is what compares.
    conv.blobs["data"].reshape(1, 3, 12, 12)
    conv.reshape()
    assert (
        np.abs(conv.forward(data=image[:, :, :12, :12])["prob"].ravel() - net.blobs["prob"].data[0]).max()
        < 1e-6
    )


def test_set_a_filter(net):
    net.params["conv1"][0].data[0] = 0
    net.params["conv1"][0].data[0, 0, 1, 1] = 1
    net.params["conv1"][1].data[...] = 0
    image = np.random.default_rng(0).random((1, 3, 12, 12)).astype(np.float32)
    net.forward(data=image)
    assert (net.blobs["conv1"].data[0, 0] == image[0, 0]).all()


def test_set_filters_by_flat(net):
    net.params["conv1"][0].data.flat = np.arange(4 * 27)
    assert net.params["conv1"][0].data[3, 2, 2, 2] == 107


def test_scale_weights_in_place(net):
    before = net.params["conv1"][0].data.copy()
    net.params["conv1"][0].data[...] *= 2
    assert (net.params["conv1"][0].data == before * 2).all()


def test_prune(net):
    weights = net.params["fc6"][0].data
    weights[np.abs(weights) < np.median(np.abs(weights))] = 0
    assert abs((net.params["fc6"][0].data == 0).mean() - 0.5) < 0.01


def test_grey_first_layer(caffe, net):
    with open("deploy.prototxt") as file:
        text = file.read().replace("dim: 1 dim: 3", "dim: 1 dim: 1").replace('"conv1"', '"conv1_grey"')
    with open("grey.prototxt", "w") as file:
        file.write(text)
    grey = caffe.Net("grey.prototxt", "tiny.caffemodel", caffe.TEST)
    grey.params["conv1_grey"][0].data[...] = net.params["conv1"][0].data.mean(axis=1, keepdims=True)
    grey.params["conv1_grey"][1].data[:] = net.params["conv1"][1].data
    assert (grey.params["fc6"][0].data == net.params["fc6"][0].data).all()


def test_weights_of_a_dictionary(caffe, net):
    np.save("weights.npy", {k: {"weights": v[0].data, "biases": v[1].data} for k, v in net.params.items()})
    other = caffe.Net("deploy.prototxt", caffe.TEST)
    weights = np.load("weights.npy", allow_pickle=True).item()
    for name in weights:
        other.params[name][0].data[...] = weights[name]["weights"]
        other.params[name][1].data[...] = weights[name]["biases"]
    assert (other.params["fc6"][0].data == net.params["fc6"][0].data).all()


def test_wrong_shape(net):
    with pytest.raises(ValueError):
        net.params["conv1"][0].data[...] = np.zeros((4, 3, 5, 5))


def test_fold_batch_norm(caffe):
    n = caffe.NetSpec()
    n.data = caffe.layers.Input(shape=dict(dim=[1, 2, 5, 5]))
    n.conv = caffe.layers.Convolution(n.data, num_output=3, kernel_size=3, weight_filler=dict(type="xavier"))
    n.bn = caffe.layers.BatchNorm(n.conv, in_place=True)
    n.scale = caffe.layers.Scale(n.bn, scale_param=dict(bias_term=True), in_place=True)
    with open("bn.prototxt", "w") as file:
        file.write(str(n.to_proto()))
    net = caffe.Net("bn.prototxt", caffe.TEST)
    rng = np.random.default_rng(1)
    mean, var, factor = (blob.data for blob in net.params["bn"])
    mean[...], var[...], factor[...] = rng.random(3), rng.random(3) + 0.5, 2
    net.params["scale"][0].data[...], net.params["scale"][1].data[...] = rng.random(3), rng.random(3)
    image = rng.standard_normal((1, 2, 5, 5)).astype(np.float32)
    expected = net.forward(data=image)["conv"].copy()
    scale = net.params["scale"][0].data / np.sqrt(var / factor + 1e-5)
    net.params["conv"][0].data[...] *= scale[:, None, None, None]
    shift = net.params["scale"][1].data + (net.params["conv"][1].data - mean / factor) * scale
    net.params["conv"][1].data[...] = shift
    net.forward(data=image, end="conv")
    assert np.abs(net.blobs["conv"].data - expected).max() < 1e-5


def test_fcn_interp(caffe):
    net = caffe.Net("seg.prototxt", caffe.TRAIN)

    def upsample_filt(size):
        factor = (size + 1) // 2
        center = factor - 1 if size % 2 == 1 else factor - 0.5
        og = np.ogrid[:size, :size]
        return (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)

    for layer in [k for k in net.params.keys() if "up" in k]:
        m, k, h, w = net.params[layer][0].data.shape
        assert m == k and h == w
        net.params[layer][0].data[range(m), range(k), :, :] = upsample_filt(h)
    assert net.params["upscore"][0].data[1, 1, 1, 1] == 0.75**2
    assert not net.params["upscore"][0].data[0, 1].any()


def test_fcn_transplant(caffe, net):
    new_net = caffe.Net("full_conv.prototxt", caffe.TEST)
    for p in net.params:
        p_new = "fc6-conv" if p == "fc6" else p
        for i in range(len(net.params[p])):
            if i > len(new_net.params[p_new]) - 1:
                break
            if net.params[p][i].data.shape != new_net.params[p_new][i].data.shape:
                assert net.params[p][i].count == new_net.params[p_new][i].count
            new_net.params[p_new][i].data.flat = net.params[p][i].data.flat
    assert (new_net.params["fc6-conv"][0].data.ravel() == net.params["fc6"][0].data.ravel()).all()


def test_read_a_caffemodel(caffe, net):
    model = caffe.proto.caffe_pb2.NetParameter()
    with open("tiny.caffemodel", "rb") as file:
        model.ParseFromString(file.read())
    layers = {layer.name: layer for layer in model.layer if layer.blobs}
    assert sorted(layers) == ["conv1", "fc6"]
    weights = caffe.io.blobproto_to_array(layers["conv1"].blobs[0])
    assert (weights == net.params["conv1"][0].data).all()
    flat = np.array(layers["fc6"].blobs[0].data).reshape(*layers["fc6"].blobs[0].shape.dim)
    assert flat.shape == (5, 144)


def test_write_a_caffemodel(caffe):
    from caffe.proto import caffe_pb2

    model = caffe_pb2.NetParameter()
    with open("tiny.caffemodel", "rb") as file:
        model.MergeFromString(file.read())
    for layer in model.layer:
        if layer.name == "fc6":
            layer.blobs[1].data[:] = [1, 2, 3, 4, 5]
    with open("edited.caffemodel", "wb") as file:
        file.write(model.SerializeToString())
    net = caffe.Net("deploy.prototxt", "edited.caffemodel", caffe.TEST)
    assert net.params["fc6"][1].data.tolist() == [1, 2, 3, 4, 5]


def test_edit_a_prototxt(caffe):
    net_param = caffe.proto.caffe_pb2.NetParameter()
    with open("deploy.prototxt") as file:
        text_format.Merge(str(file.read()), net_param)
    for layer in net_param.layer:
        if layer.type == "InnerProduct":
            layer.inner_product_param.num_output = 9
            layer.name = "fc_new"
    with open("edited.prototxt", "w") as file:
        file.write(text_format.MessageToString(net_param))
    net = caffe.Net("edited.prototxt", "tiny.caffemodel", caffe.TEST)
    assert net.params["fc_new"][0].data.shape == (9, 144)


def test_add_a_layer_to_a_prototxt(caffe):
    import google.protobuf.text_format as txtf

    net_param = txtf.Parse(open("deploy.prototxt").read(), caffe.proto.caffe_pb2.NetParameter())
    layer = net_param.layer.add()
    layer.name, layer.type = "top", "ArgMax"
    layer.bottom.append("prob")
    layer.top.append("top")
    layer.argmax_param.axis = 1
    open("edited.prototxt", "w").write(str(net_param))
    assert caffe.Net("edited.prototxt", caffe.TEST).outputs == ["top"]
