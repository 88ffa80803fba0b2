"""Layers written in Python, and nets written in Python."""

import numpy as np
import pytest

LAYERS = """
import json
import random

import caffe
import numpy as np


class Pairs(caffe.Layer):
    def setup(self, bottom, top):
        params = eval(self.param_str)
        self.size, self.seed = params["size"], params.get("seed", None)
        if len(top) != 2:
            raise Exception("Need to define two tops: data and label.")
        if len(bottom) != 0:
            raise Exception("Do not define a bottom.")
        self.idx = 0
        random.seed(self.seed)

    def reshape(self, bottom, top):
        self.data = np.full((3, self.size + self.idx, self.size), self.idx, np.float32)
        top[0].reshape(1, *self.data.shape)
        top[1].reshape(1)

    def forward(self, bottom, top):
        top[0].data[...] = self.data
        top[1].data[...] = self.idx
        self.idx += 1

    def backward(self, top, propagate_down, bottom):
        pass


class EuclideanLoss(caffe.Layer):
    def setup(self, bottom, top):
        if len(bottom) != 2:
            raise Exception("Need two inputs to compute distance.")

    def reshape(self, bottom, top):
        if bottom[0].count != bottom[1].count:
            raise Exception("Inputs must have the same dimension.")
        self.diff = np.zeros_like(bottom[0].data, dtype=np.float32)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.diff[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.diff**2) / bottom[0].num / 2.0

    def backward(self, top, propagate_down, bottom):
        for i in range(2):
            if not propagate_down[i]:
                continue
            sign = 1 if i == 0 else -1
            bottom[i].diff[...] = sign * self.diff / bottom[i].num


class Scaled(caffe.Layer):
    def setup(self, bottom, top):
        self.factor = json.loads(self.param_str)["factor"]
        self.train = self.phase == caffe.TRAIN
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = self.factor

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += np.sum(top[0].diff * bottom[0].data)
        bottom[0].diff[...] = self.blobs[0].data * top[0].diff
"""


@pytest.fixture
def folder(caffe, tmp_path):
    (tmp_path / "mylayers.py").write_text(LAYERS)
    return tmp_path


def write(n, name="net.prototxt"):
    with open(name, "w") as file:
        file.write(str(n.to_proto()))
    return name


def test_data_layer(caffe, folder):
    from caffe import layers as L

    n = caffe.NetSpec()
    params = dict(size=5, seed=1337)
    n.data, n.label = L.Python(module="mylayers", layer="Pairs", ntop=2, param_str=str(params))
    net = caffe.Net(write(n), caffe.TRAIN)
    for idx in range(3):
        net.forward()
        assert net.blobs["data"].data.shape == (1, 3, 5 + idx, 5)
        assert net.blobs["label"].data[0] == idx


def test_loss_layer(caffe, folder):
    from caffe import layers as L

    n = caffe.NetSpec()
    n.data = L.DummyData(shape=dict(dim=[4, 3]), data_filler=dict(type="gaussian"))
    n.label = L.DummyData(shape=dict(dim=[4, 2]), data_filler=dict(type="gaussian"))
    n.score = L.InnerProduct(n.data, num_output=2, weight_filler=dict(type="xavier"))
    n.loss = L.Python(n.score, n.label, module="mylayers", layer="EuclideanLoss", loss_weight=1)
    net = caffe.Net(write(n), caffe.TRAIN)
    net.forward()
    difference = net.blobs["score"].data - net.blobs["label"].data
    assert abs(net.blobs["loss"].data[0] - (difference**2).sum() / 8) < 1e-5
    net.backward()
    assert np.abs(net.params["score"][1].diff - difference.sum(0) / 4).max() < 1e-5


def test_layer_with_parameters(caffe, folder):
    from caffe import layers as L

    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[2, 3]))
    n.scaled = L.Python(
        n.data, python_param=dict(module="mylayers", layer="Scaled", param_str='{"factor": 4}')
    )
    net = caffe.Net(write(n), caffe.TEST)
    assert net.params["scaled"][0].data.tolist() == [4]
    assert (net.forward(data=np.ones((2, 3)))["scaled"] == 4).all()
    net.params["scaled"][0].data[...] = 5
    net.save("scaled.caffemodel")
    assert (caffe.Net("net.prototxt", "scaled.caffemodel", caffe.TEST).params["scaled"][0].data == 5).all()


def test_layer_in_a_solver(caffe, folder):
    from caffe import layers as L

    n = caffe.NetSpec()
    n.data, n.label = L.DummyData(
        shape=[dict(dim=[4, 3]), dict(dim=[4, 2])], data_filler=dict(type="gaussian"), ntop=2
    )
    n.score = L.InnerProduct(n.data, num_output=2, weight_filler=dict(type="xavier"))
    n.loss = L.Python(n.score, n.label, module="mylayers", layer="EuclideanLoss", loss_weight=1)
    write(n)
    with open("python_solver.prototxt", "w") as file:
        file.write(
            'train_net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 9 snapshot_prefix: "p"'
        )
    solver = caffe.get_solver("python_solver.prototxt")
    before = solver.net.params["score"][0].data.copy()
    solver.step(3)
    assert (solver.net.params["score"][0].data != before).any()


def test_error_of_a_layer(caffe, folder):
    from caffe import layers as L

    n = caffe.NetSpec()
    n.data = L.Python(module="mylayers", layer="Pairs", param_str="{'size': 3}")
    with pytest.raises(Exception, match="two tops"):
        caffe.Net(write(n), caffe.TRAIN)


def test_write_a_net(caffe):
    from caffe import layers as L
    from caffe import params as P

    def conv_relu(bottom, nout, ks=3, stride=1, pad=1):
        conv = L.Convolution(
            bottom,
            kernel_size=ks,
            stride=stride,
            num_output=nout,
            pad=pad,
            param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)],
            weight_filler=dict(type="msra"),
        )
        return conv, L.ReLU(conv, in_place=True)

    n = caffe.NetSpec()
    n.data = L.Input(input_param=dict(shape=dict(dim=[1, 3, 8, 8])))
    n.conv1_1, n.relu1_1 = conv_relu(n.data, 4)
    n.pool1 = L.Pooling(n.relu1_1, pool=P.Pooling.MAX, kernel_size=2, stride=2)
    n.drop = L.Dropout(n.pool1, dropout_ratio=0.5, in_place=True)
    n.both = L.Eltwise(n.pool1, n.drop, operation=P.Eltwise.SUM)
    n.cat = L.Concat(n.both, n.pool1, axis=1)
    net = caffe.Net(write(n), caffe.TEST)
    net.forward()
    assert net.blobs["cat"].data.shape == (1, 8, 4, 4)


def test_write_train_and_deploy(caffe):
    from caffe import layers as L

    def tiny(data, label=None, train=True):
        n = caffe.NetSpec()
        n.data = data
        n.fc = L.InnerProduct(n.data, num_output=2, weight_filler=dict(type="xavier"))
        if not train:
            n.probs = L.Softmax(n.fc)
        if label is not None:
            n.label = label
            n.loss = L.SoftmaxWithLoss(n.fc, n.label)
            n.acc = L.Accuracy(n.fc, n.label)
        return write(n)

    dummy = L.DummyData(shape=dict(dim=[1, 3, 2, 2]))
    assert caffe.Net(tiny(dummy, train=False), caffe.TEST).outputs == ["probs"]
    label = L.DummyData(shape=dict(dim=[1]))
    assert sorted(caffe.Net(tiny(dummy, label), caffe.TRAIN).outputs) == ["acc", "loss"]


def test_crop_by_coordinates(caffe):
    from caffe import layers as L
    from caffe.coord_map import crop

    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 12, 12]))
    n.conv = L.Convolution(n.data, num_output=2, kernel_size=3, pad=5)
    n.pool = L.Pooling(n.conv, kernel_size=2, stride=2)
    n.upscore = L.Deconvolution(
        n.pool, convolution_param=dict(num_output=2, kernel_size=4, stride=2, bias_term=False)
    )
    n.score = crop(n.upscore, n.data)
    net = caffe.Net(write(n), caffe.TEST)
    assert net.blobs["score"].data.shape == (1, 2, 12, 12)
