"""What scripts do with images: Transformer, means, Classifier, Detector, datums, drawing."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def net(caffe):
    return caffe.Net("deploy.prototxt", "tiny.caffemodel", caffe.TEST)


@pytest.fixture
def transformer(caffe, net):
    transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_mean("data", np.load("mean.npy").mean(1).mean(1))
    transformer.set_raw_scale("data", 255)
    transformer.set_channel_swap("data", (2, 1, 0))
    return transformer


def test_classify_an_image(caffe, net, transformer):
    net.blobs["data"].reshape(1, 3, 12, 12)
    net.blobs["data"].data[...] = transformer.preprocess("data", caffe.io.load_image("cat.jpg"))
    output = net.forward()
    assert output["prob"][0].argmax() in range(5)


def test_classify_a_batch(caffe, net, transformer):
    image = transformer.preprocess("data", caffe.io.load_image("cat.jpg"))
    net.blobs["data"].reshape(4, 3, 12, 12)
    net.blobs["data"].data[...] = np.tile(image, (4, 1, 1, 1))
    probs = net.forward()["prob"]
    assert probs.shape == (4, 5) and (probs == probs[0]).all()


def test_deprocess(caffe, net, transformer):
    image = caffe.io.resize_image(caffe.io.load_image("cat.jpg"), (12, 12))
    net.blobs["data"].data[...] = transformer.preprocess("data", image)
    assert np.abs(transformer.deprocess("data", net.blobs["data"].data[0]) - image).max() < 1e-5


def test_mean_of_pixels(caffe, net, transformer):
    transformer.set_mean("data", np.load("mean.npy"))
    blob = transformer.preprocess("data", caffe.io.load_image("cat.jpg"))
    assert blob.shape == (3, 12, 12)


def test_mean_of_a_binaryproto(caffe):
    mean = np.load("mean.npy")
    blob = caffe.io.array_to_blobproto(mean[np.newaxis])
    with open("mean.binaryproto", "wb") as file:
        file.write(blob.SerializeToString())
    blob = caffe.proto.caffe_pb2.BlobProto()
    data = open("mean.binaryproto", "rb").read()
    blob.ParseFromString(data)
    arr = np.array(caffe.io.blobproto_to_array(blob))
    out = arr[0]
    np.save("out.npy", out)
    assert (out == mean).all()


def test_image_of_pillow(net):
    im = Image.open("cat.jpg")
    in_ = np.array(im.resize((12, 12)), dtype=np.float32)
    in_ = in_[:, :, ::-1]
    in_ -= np.array((104.00698793, 116.66876762, 122.67891434))
    in_ = in_.transpose((2, 0, 1))
    net.blobs["data"].reshape(1, *in_.shape)
    net.blobs["data"].data[...] = in_
    net.forward()
    assert (net.blobs["data"].data[0] == in_).all()


def test_grey_image(caffe):
    assert caffe.io.load_image("label.png", color=False).shape == (12, 12, 1)


def test_classifier(caffe):
    classifier = caffe.Classifier(
        "deploy.prototxt",
        "tiny.caffemodel",
        mean=np.load("mean.npy").mean(1).mean(1),
        channel_swap=(2, 1, 0),
        raw_scale=255,
        image_dims=(14, 14),
    )
    image = caffe.io.load_image("cat.jpg")
    prediction = classifier.predict([image])
    centre = classifier.predict([image, image], oversample=False)
    assert prediction.shape == (1, 5) and centre.shape == (2, 5)
    assert abs(prediction[0].sum() - 1) < 1e-5
    assert classifier.blobs["data"].data.shape == (1, 3, 12, 12)


def test_detector(caffe):
    detector = caffe.Detector(
        "deploy.prototxt", "tiny.caffemodel", raw_scale=255, channel_swap=(2, 1, 0), context_pad=2
    )
    windows = np.array([[0, 0, 8, 8], [2, 3, 14, 15]])
    found = detector.detect_windows([("cat.jpg", windows)])
    assert [list(item["window"]) for item in found] == windows.tolist()
    assert found[0]["prediction"].shape == (5,) and found[1]["filename"] == "cat.jpg"


def test_oversample(caffe):
    image = caffe.io.load_image("cat.jpg")
    assert caffe.io.oversample([image], (12, 12)).shape == (10, 12, 12, 3)


def test_datums(caffe):
    image = np.array(Image.open("cat.jpg")).transpose(2, 0, 1)
    datum = caffe.io.array_to_datum(image, 3)
    text = datum.SerializeToString()
    again = caffe.proto.caffe_pb2.Datum()
    again.ParseFromString(text)
    assert again.label == 3 and (caffe.io.datum_to_array(again) == image).all()


def test_lmdb(caffe):
    lmdb = pytest.importorskip("lmdb")
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 12, 12), np.uint8)
    env = lmdb.open("train_lmdb", map_size=1 << 24)
    with env.begin(write=True) as txn:
        for i, image in enumerate(images):
            datum = caffe.proto.caffe_pb2.Datum()
            datum.channels, datum.height, datum.width = image.shape
            datum.data = image.tobytes()
            datum.label = i
            txn.put(f"{i:08}".encode("ascii"), datum.SerializeToString())
    with env.begin() as txn:
        for key, value in txn.cursor():
            datum.ParseFromString(value)
            assert (caffe.io.datum_to_array(datum) == images[int(key)]).all()
    env.close()
    n = caffe.NetSpec()
    n.data, n.label = caffe.layers.Data(
        batch_size=2,
        backend=caffe.params.Data.LMDB,
        source="train_lmdb",
        transform_param=dict(scale=1.0 / 255),
        ntop=2,
    )
    open("lmdb.prototxt", "w").write(str(n.to_proto()))
    net = caffe.Net("lmdb.prototxt", caffe.TEST)
    net.forward()
    assert net.blobs["label"].data.tolist() == [0, 1]
    assert np.abs(net.blobs["data"].data - images[:2] / 255).max() < 1e-6


def test_hdf5(caffe):
    import h5py

    data = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    with h5py.File("train.h5", "w") as file:
        file["data"] = data
        file["label"] = np.arange(4, dtype=np.float32)
    with open("train.txt", "w") as file:
        file.write("train.h5\n")
    n = caffe.NetSpec()
    n.data, n.label = caffe.layers.HDF5Data(batch_size=2, source="train.txt", ntop=2)
    open("hdf5.prototxt", "w").write(str(n.to_proto()))
    net = caffe.Net("hdf5.prototxt", caffe.TEST)
    net.forward()
    assert (net.blobs["data"].data == data[:2]).all()


def test_draw(caffe):
    import caffe.draw
    from caffe.proto import caffe_pb2
    from google.protobuf import text_format

    net = caffe_pb2.NetParameter()
    text_format.Merge(open("deploy.prototxt").read(), net)
    caffe.draw.draw_net_to_file(net, "net.png", "BT")
    assert Image.open("net.png").width > 100


def vis_square(data):
    """BVLC's, of its first notebook."""
    data = (data - data.min()) / (data.max() - data.min())
    n = int(np.ceil(np.sqrt(data.shape[0])))
    padding = ((0, n**2 - data.shape[0]), (0, 1), (0, 1)) + ((0, 0),) * (data.ndim - 3)
    data = np.pad(data, padding, mode="constant", constant_values=1)
    data = data.reshape((n, n) + data.shape[1:]).transpose((0, 2, 1, 3) + tuple(range(4, data.ndim + 1)))
    return data.reshape((n * data.shape[1], n * data.shape[3]) + data.shape[4:])


def test_visualise_filters(net):
    assert vis_square(net.params["conv1"][0].data.transpose(0, 2, 3, 1)).shape == (8, 8, 3)
    net.forward()
    assert vis_square(net.blobs["conv1"].data[0, :4]).shape == (26, 26)


def test_deepdream(caffe):
    from google.protobuf import text_format

    model = caffe.io.caffe_pb2.NetParameter()
    text_format.Merge(open("full_conv.prototxt").read(), model)
    model.force_backward = True
    open("tmp.prototxt", "w").write(str(model))
    net = caffe.Classifier(
        "tmp.prototxt", "tiny.caffemodel", mean=np.float32([104.0, 116.0, 122.0]), channel_swap=(2, 1, 0)
    )
    src = net.blobs["data"]
    image = np.random.default_rng(0).random((16, 20, 3)).astype(np.float32) * 255
    src.reshape(1, 3, 16, 20)
    src.data[0] = np.rollaxis(image, 2)[::-1] - net.transformer.mean["data"]
    dst = net.blobs["pool1"]
    sizes = []
    for _ in range(3):
        net.forward(end="pool1")
        sizes.append(float((dst.data**2).sum()))
        dst.diff[:] = dst.data
        net.backward(start="pool1")
        g = src.diff[0]
        src.data[:] += 1.5 / np.abs(g).mean() * g
    assert sizes[0] < sizes[1] < sizes[2]
