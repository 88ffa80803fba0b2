"""Files small and real, compared with TFLite's own interpreter."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deeplab_caffe import Net, Segmenter, read_image
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.tflite import read_tflite

pytest.importorskip("tflite")

from deeplab_caffe.convert.tflite.convert import convert_tflite, translate
from tests.convert.tflite.write_tflite import TFLiteFile, normalization, small_net

REAL = Path(__file__).parents[4] / "shared/models/deeplabv3_mnv2_voc257"


@pytest.fixture
def written(tmp_path):
    """written(file): its graph."""

    def write(file):
        path = tmp_path / "net.tflite"
        path.write_bytes(file.bytes())
        return path

    return write


def tflite_scores(path, x):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def net_of(path, folder):
    convert_tflite(path, folder)
    return Net(folder / "deploy.prototxt", folder / "weights.caffemodel")


def compare(path, folder, channels=3):
    net = net_of(path, folder)
    (shape,) = net.inputs.values()
    x = np.random.default_rng(1).normal(size=(1, *shape[2:], channels)).astype(np.float32)
    theirs = tflite_scores(path, x)
    ours = np.asarray(net(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))).transpose(0, 2, 3, 1)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * np.abs(theirs).max())
    return net


@pytest.mark.parametrize("half", [False, True])
def test_a_small_net(written, tmp_path, half):
    net = compare(written(small_net(half)), tmp_path / "out")
    layers = {layer.name: layer.definition.param.convolution_param for layer in net.layers}
    assert layers["root"].same_pad and list(layers["root"].stride) == [2]
    assert layers["double"].group == 8 and layers["double"].num_output == 16
    assert list(layers["atrous"].dilation) == list(layers["atrous"].pad) == [2]
    # Another size than the graph's: nothing in it is fixed.
    assert net(torch.zeros(1, 3, 33, 41)).shape == (1, 5, 33, 41)


@pytest.mark.parametrize(("rate", "height", "width"), [(2, 9, 7), (3, 9, 9), (2, 8, 6)])
def test_rates_in_the_batch(written, tmp_path, rate, height, width):
    """As TensorFlow writes them: SAME padding, and more behind so that the rate divides the sizes."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(1, 3, 3, 4)).astype(np.float32)
    bias = rng.normal(size=4).astype(np.float32)
    more = [-(size + 2 * rate) % rate for size in (height, width)]
    pads = np.int32([[rate, rate + more[0]], [rate, rate + more[1]]])
    rows, columns = ((size + 2 * rate + m) // rate for size, m in zip((height, width), more, strict=True))
    file = TFLiteFile((1, height, width, 3))
    block = file.constant("block", np.int32([rate, rate]))
    x = file.conv(file.input, rng.normal(size=(4, 1, 1, 3)).astype(np.float32), bias, (1, height, width, 4))
    x = file.op("SPACE_TO_BATCH_ND", [x, block, file.constant("pads", pads)], (rate * rate, rows, columns, 4))
    x = file.conv(x, weights, -bias, (rate * rate, rows - 2, columns - 2, 4), depthwise=True, Padding=1)
    x = file.op("ADD", [x, file.constant("b", bias)], (rate * rate, rows - 2, columns - 2, 4), "AddOptions")
    crops = file.constant("crops", np.int32([[0, more[0]], [0, more[1]]]))
    file.op("BATCH_TO_SPACE_ND", [x, block, crops], (1, height, width, 4))
    net = compare(written(file), tmp_path / "out")
    (atrous,) = [layer.definition.param.convolution_param for layer in net.layers if layer.name == "conv2"]
    assert list(atrous.dilation) == list(atrous.pad) == [rate]


def test_half_pixels_and_arithmetic(written, tmp_path):
    file = TFLiteFile((1, 6, 5, 3))
    x = file.op("MUL", [file.input, file.constant("m", np.float32(0.25))], (1, 6, 5, 3), "MulOptions")
    x = file.op("SUB", [x, file.constant("s", np.float32([1, 2, 3]))], (1, 6, 5, 3), "SubOptions")
    pads = file.constant("p", np.int32([[0, 0], [0, 1], [0, 1], [0, 0]]))
    x = file.op("PAD", [x, pads], (1, 7, 6, 3))
    x = file.op("MAX_POOL_2D", [x], (1, 4, 3, 3), "Pool2DOptions", Padding=0, StrideW=2, StrideH=2,
                FilterWidth=2, FilterHeight=2)  # fmt: skip
    nothing = [file.constant("q", np.zeros((4, 2), np.int32)), file.constant("v", np.float32(3))]
    x = file.op("PADV2", [x, *nothing], (1, 4, 3, 3))
    x = file.op("LEAKY_RELU", [x], (1, 4, 3, 3), "LeakyReluOptions", Alpha=0.125)
    x = file.op("HARD_SWISH", [x], (1, 4, 3, 3))
    gate = file.op(
        "MEAN", [x, file.constant("a", np.int32([1, 2]))], (1, 1, 1, 3), "ReducerOptions", KeepDims=True
    )
    x = file.op("MUL", [x, gate], (1, 4, 3, 3), "MulOptions")
    x = file.op("RESIZE_BILINEAR", [x, file.constant("z", np.int32([11, 9]))], (1, 11, 9, 3),
                "ResizeBilinearOptions", HalfPixelCenters=True)  # fmt: skip
    file.op("SOFTMAX", [x], (1, 11, 9, 3), "SoftmaxOptions", Beta=1.0)
    net = compare(written(file), tmp_path / "out")
    segmenter = Segmenter(net.definition, tmp_path / "out/weights.caffemodel")
    assert segmenter.preprocessing.mean == ()  # the graph itself scales the bytes


def test_a_convolution_without_a_bias(written, tmp_path):
    file = TFLiteFile((1, 5, 4, 3))
    weights = np.arange(6, dtype=np.float32).reshape(2, 1, 1, 3)
    file.conv(file.input, weights, None, (1, 5, 4, 2))
    scores = net_of(written(file), tmp_path / "out")(torch.ones(1, 3, 5, 4))
    assert (scores[0, :, 0, 0] == torch.tensor([3.0, 12.0])).all()


def test_groups(written, tmp_path):
    rng = np.random.default_rng(0)
    file = TFLiteFile((1, 6, 5, 3))
    x = file.conv(
        file.input, rng.normal(size=(4, 1, 1, 3)).astype(np.float32), np.ones(4, np.float32), (1, 6, 5, 4)
    )
    weights = rng.normal(size=(6, 3, 3, 2)).astype(np.float32)
    file.conv(x, weights, np.zeros(6, np.float32), (1, 3, 3, 6), StrideW=2, StrideH=2)
    compare(written(file), tmp_path / "out")


def test_metadata_tell_the_preprocessing(written, tmp_path):
    file = small_net()
    file.metadata = normalization([10, 20, 30], [4])
    convert_tflite(written(file), tmp_path / "out")
    found = Segmenter(tmp_path / "out/deploy.prototxt", tmp_path / "out/weights.caffemodel").preprocessing
    assert (found.mean, found.std, found.scale, found.rgb) == ((10, 20, 30), (4,), 1, True)
    file = small_net()
    file.metadata = normalization([1, 2], [0])
    with pytest.raises(DeepLabError, match=r"metadata: mean \[1.0, 2.0\], std \[0.0\]: one number for each"):
        convert_tflite(written(file), tmp_path / "other")


def test_argmax_is_left_out(written, tmp_path):
    file = small_net()
    axis = file.constant("axis", np.int32(3))
    file.op("ARG_MAX", [file.output, axis], (1, 17, 13), "ArgMaxOptions", dtype="int64", OutputType=4)
    converted = translate(read_tflite(written(file)))
    assert converted.left_out == ["ARG_MAX (the net ends with scores)"]
    assert net_of(written(file), tmp_path / "out")(torch.zeros(1, 3, 17, 13)).shape == (1, 5, 17, 13)


def wrong(**changes):
    file = TFLiteFile((1, 5, 5, 3))
    ones = np.ones((2, 3, 3, 3), changes.pop("weights", np.float32))
    file.conv(
        file.input, ones, np.zeros(2, np.float32), changes.pop("shape", (1, 5, 5, 2)), name="c", **changes
    )
    return file


def with_op(kind, *inputs, shape=(1, 5, 5, 3), **values):
    file = TFLiteFile((1, 5, 5, 3))
    file.op(
        kind,
        [file.input, *(file.constant(f"k{i}", array) for i, array in enumerate(inputs))],
        shape,
        **values,
    )
    return file


def with_a_circle():
    """An operator that reads what it makes, behind a convolution of pixels in the batch."""
    file = TFLiteFile((1, 4, 4, 3))
    block, pads = file.constant("b", np.int32([2, 2])), file.constant("p", np.zeros((2, 2), np.int32))
    x = file.op("SPACE_TO_BATCH_ND", [file.input, block, pads], (4, 2, 2, 3))
    x = file.conv(x, np.ones((3, 1, 1, 3), np.float32), np.zeros(3, np.float32), (4, 2, 2, 3))
    file.operators.append(("RELU", [x], [x], None, {}))
    return file


ERRORS = [
    (with_a_circle(), "no BATCH_TO_SPACE_ND behind it"),
    (with_op("QUANTIZE"), r"operator 0 \(QUANTIZE\).*only float32 and float16 files are read"),
    (wrong(weights=np.int8), "tensor 'c/weights': int8: a quantised file"),
    (wrong(shape=(1, 4, 4, 2)), r"tensor 'c/Relu6': shape \[1, 4, 4, 2\] in the file, \[1, 2, 5, 5\]"),
    (wrong(FusedActivationFunction=5), r"operator 0 \(CONV_2D\) of 'c/Relu6': activation 5 has no layer"),
    (wrong(StrideW=-1), "layer 'c'"),
    (with_op("COS"), r"operator 0 \(COS\) of 'cos_0': no layer does that"),
    (with_op("PAD", np.int32([[0, 0], [1, 1], [2, 2], [0, 0]])), "PAD.*the same for rows and columns"),
    (
        with_op("RESIZE_BILINEAR", np.int32([9, 9]), shape=(1, 9, 9, 3), options="ResizeBilinearOptions"),
        "neither align_corners nor half_pixel_centers",
    ),
    (with_op("ADD", np.ones((5, 5, 3), np.float32)), r"a constant of shape \[5, 5, 3\] for 3 channels"),
    (with_op("CONV_2D"), r"CONV_2D.*no input 1"),
    (with_op("SPACE_TO_BATCH_ND"), "a convolution alone behind it wanted"),
    (TFLiteFile((1, 5, 5, 3)), "no operators in it"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "message"), ERRORS, ids=[message[:30] for _, message in ERRORS])
def test_errors(written, tmp_path, file, message):
    path = written(file)
    with pytest.raises(DeepLabError, match=message) as caught:
        convert_tflite(path, tmp_path / "out")
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_damaged_files(tmp_path):
    """Changed bytes: an error of one line, or another net; nothing else."""
    data = small_net(half=True).bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        changed = np.frombuffer(data, np.uint8).copy()
        changed[rng.integers(0, len(data), 4)] = rng.choice([0, 1, 128, 255], 4)
        (tmp_path / "a.tflite").write_bytes(changed.tobytes())
        try:
            translate(read_tflite(tmp_path / "a.tflite"))
        except DeepLabError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 50


def test_bytes_through_a_cast(written, tmp_path):
    file = TFLiteFile((1, 4, 4, 3), "uint8")
    x = file.op("CAST", [file.input], (1, 4, 4, 3), "CastOptions", InDataType=3, OutDataType=0)
    x = file.op("MUL", [x, file.constant("m", np.float32(2))], (1, 4, 4, 3), "MulOptions")
    file.op("ADD", [file.constant("a", np.float32([1, 2, 3])), x], (1, 4, 4, 3), "AddOptions")
    convert_tflite(written(file), tmp_path / "out")
    segmenter = Segmenter(tmp_path / "out/deploy.prototxt", tmp_path / "out/weights.caffemodel")
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    expected = tflite_scores(tmp_path / "net.tflite", image[None])[0].transpose(2, 0, 1)
    assert (segmenter.scores(image) == expected).all()


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="the real model is not there")
class TestRealModel:
    """DeepLab v3, MobileNet v2 of depth 0.5, as TensorFlow publishes it."""

    @pytest.fixture(scope="class")
    @classmethod
    def segmenter(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("real")
        convert_tflite(REAL / "deeplabv3_257_mv_gpu.tflite", folder)
        return Segmenter(folder / "deploy.prototxt", folder / "weights.caffemodel")

    @pytest.mark.parametrize("name", ["astronaut", "chelsea", "motorcycle_left"])
    def test_scores_and_labels(self, segmenter, name):
        image = read_image(REAL / "images" / f"{name}.png")
        small = np.array(Image.fromarray(image).resize((257, 257), Image.Resampling.BILINEAR))
        blob = torch.from_numpy(segmenter.preprocessing.blob(small)[None])
        logits = segmenter.run(blob, "logits/semantic")[0].numpy().transpose(1, 2, 0)
        assert np.abs(logits - np.load(REAL / "images" / f"{name}.logits33.npy")).max() < 1e-4
        labels = np.array(Image.open(REAL / "images" / f"{name}.labels257.png"))
        assert (segmenter.labels(small) == labels).all()
        # A photo of any size is brought to the net's by itself.
        whole = segmenter.labels(image)
        assert whole.shape == image.shape[:2]
        shares = [np.bincount(map_.ravel(), minlength=21) / map_.size for map_ in (whole, labels)]
        assert np.abs(shares[0] - shares[1]).max() < 0.01

    def test_is_read_from_the_graph(self, segmenter):
        rates = {
            tuple(layer.definition.param.convolution_param.dilation)
            for layer in segmenter.net.layers
            if layer.definition.param.convolution_param.group > 1
        }
        assert rates == {(), (2,), (4,)}
        assert segmenter.preprocessing.rgb and segmenter.resized_to == (257, 257)
