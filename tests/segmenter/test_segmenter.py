import numpy as np
import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.assets import asset
from deeplab_caffe.engine import dag
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.images import preprocessing
from deeplab_caffe.images.resize import smooth_resize
from deeplab_caffe.layers import Context, create
from deeplab_caffe.segmenter import padding, segmenter

INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9\n'
POOL = """layers { name: "p" type: POOLING bottom: "data" top: "p"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layers { name: "q" type: POOLING bottom: "p" top: "q"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }"""
ZOOM = 'layers { name: "z" type: INTERP bottom: "q" top: "z" interp_param { zoom_factor: 4 } }'


def make(text, **options):
    return segmenter.Segmenter(read_net("net.prototxt", text=INPUT + text), **options)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (10, 15, 3), dtype=np.uint8)


def padded(image, height, width):
    return preprocessing.pad(preprocessing.to_blob(image), height, width)[None]


def test_pads_to_the_net_and_crops_back(image):
    segmenter = make(POOL + ZOOM)
    scores = segmenter.scores(image)
    whole = segmenter.net.forward(data=padded(image, 13, 17))["z"]
    assert whole.shape == (1, 3, 13, 17)
    assert scores.shape == (3, 10, 15) and (scores == whole[0, :, :10, :15].numpy()).all()


def test_coarse_scores_are_enlarged_as_interp_does(image):
    segmenter = make(POOL)
    coarse = segmenter.net.forward(data=padded(image, 13, 17))["q"]
    assert coarse.shape == (1, 3, 4, 5)
    assert (segmenter.scores(image) == make(POOL + ZOOM).scores(image)).all()
    assert (segmenter.scores(image) == ops.interp(coarse, (13, 17))[0, :, :10, :15].numpy()).all()


def test_labels_and_argmax_nets(image):
    labels = make(POOL + ZOOM).labels(image)
    assert labels.dtype == np.uint8 and labels.shape == (10, 15)
    argmax = 'layer { name: "a" type: "ArgMax" bottom: "z" top: "a" argmax_param { axis: 1 } }'
    zoom = ZOOM.replace("layers", "layer").replace("INTERP", '"Interp"')
    pool = POOL.replace("layers", "layer").replace("POOLING", '"Pooling"')
    assert (make(pool + zoom + argmax).labels(image) == labels).all()


def test_images_of_any_size_one_after_the_other():
    segmenter = make(POOL + ZOOM)
    for height, width in ((1, 1), (9, 9), (2, 40), (33, 5), (1, 1)):
        assert segmenter.labels(np.zeros((height, width, 3), np.uint8)).shape == (height, width)


def test_pad_to(image):
    segmenter = make(POOL + ZOOM, pad_to=(21, 12))
    whole = segmenter.net.forward(data=padded(image, 21, 17))["z"]
    assert (segmenter.scores(image) == whole[0, :, :10, :15].numpy()).all()


def test_wrong_images():
    segmenter = make(POOL)
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 1), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(DeepLabError, match="H, W, 3"):
            segmenter.scores(wrong)
    with pytest.raises(DeepLabError, match="H, W, 3"):
        segmenter.scores(np.zeros((4, 4, 3), np.float32))


def test_choice_of_output(image):
    two = POOL + ZOOM.replace('"q"', '"p"').replace("4", "2")
    with pytest.raises(DeepLabError, match="choose one of its outputs, q, z"):
        make(two)
    assert make(two, output="z").scores(image).shape == (3, 10, 15)


def test_too_many_labels():
    with pytest.raises(DeepLabError, match="300 labels"):
        segmenter.labels_of(np.zeros((300, 2, 2), np.float32))


def test_overlay():
    colours = np.zeros((256, 3), np.uint8)
    colours[1] = (200, 100, 0)
    mixed = segmenter.overlay(
        np.full((1, 1, 3), (30, 20, 10), np.uint8), np.ones((1, 1), np.uint8), colours, 0.5
    )
    assert mixed.tolist() == [[[115, 60, 5]]]


def test_channel_order(image):
    net = 'layers { name: "p" type: POWER bottom: "data" top: "p" }'
    scores = make(net, mean=(1, 2, 3)).scores(image)
    assert (scores[0] == image[:, :, 2].astype(np.float32) - 1).all()
    assert (make(net, mean=(1, 2, 3), channel_order="bgr").scores(image[:, :, ::-1]) == scores).all()
    with pytest.raises(DeepLabError, match="channel_order: gbr given, rgb or bgr wanted"):
        make(net, channel_order="gbr")


def test_not_touched_by_torch_threads(image):
    before = torch.get_num_threads()
    make(POOL + ZOOM, threads=1).scores(image)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    "path", sorted(asset("prototxt/deeplab_v1").glob("*/deploy.prototxt")), ids=lambda p: p.parent.name
)
def test_released_nets_align(path):
    definition = read_net(path)
    layers = [create(layer, Context()) for layer in definition.layers]
    net = dag.connect(definition, layers)

    def score_size(size):
        try:
            shapes = dag.infer(net, {"data": (1, 3, size, size)})
        except DeepLabError:
            return None
        return shapes[next(iter(net.outputs().values()))][2]

    for size in (300, 321, 514):
        aligned = padding.aligned_size(size, score_size)
        assert size <= aligned < size + 8 and score_size(aligned) == aligned


RGB = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } }
  transform_param { %s } }
layer { name: "p" type: "Power" bottom: "data" top: "p" }"""


def test_preprocessing_comes_from_the_net(image):
    def scores(fields, **options):
        return segmenter.Segmenter(read_net("net.prototxt", text=RGB % fields), **options).scores(image)

    planes = image.transpose(2, 0, 1).astype(np.float32)
    tensorflow = scores("mean_value: 127.5 scale: 0.00784313725490196 channel_order: RGB")
    np.testing.assert_allclose(tensorflow, planes * (2 / 255) - 1, atol=1e-6)
    ours = scores("mean_value: [1, 2, 3] std_value: [4, 5, 6] channel_order: RGB")
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in ((1, 2, 3), (4, 5, 6)))
    assert (ours == (planes - mean) / std).all()
    assert (scores("scale: 2") == 2 * planes[::-1]).all()
    given = scores("channel_order: RGB", mean=(7,))
    assert (given == planes - 7).all()
    for fields in ("mean_value: [1, 2]", "std_value: [1, 2]", "std_value: 0"):
        with pytest.raises(DeepLabError, match="layer 'data'.*transform_param"):
            scores(fields)
    with pytest.raises(DeepLabError, match="mean: 2 values"):
        scores("", mean=(1, 2))


@pytest.mark.parametrize("options", [{}, {"scales": (0.5, 1.0), "flip": True}])
def test_on_the_device(device, image, options):
    cpu = make(POOL + ZOOM, **options)
    scores, labels = cpu.scores(image), cpu.labels(image)
    with device.kernels():
        segmenter = make(POOL + ZOOM, **options, **({} if device.emulated else {"device": "cuda"}))
        assert (segmenter.scores(image).view(np.int32) == scores.view(np.int32)).all()
        assert (segmenter.labels(image) == labels).all()


def test_map_is_the_old_name_of_scores_of(image):
    segmenter = make(POOL + ZOOM)
    data = torch.from_numpy(segmenter.preprocessing.blob(image)[None])
    with pytest.warns(DeprecationWarning, match="scores_of"):
        old = segmenter.map(data)
    assert torch.equal(old, segmenter.scores_of(data))


def test_images_are_resized_where_the_net_says_so(image):
    text = """layer { name: "data" type: "Input" top: "data"
      input_param { shape { dim: 1 dim: 3 dim: 7 dim: 6 } } transform_param { scale: 2 }
      image_data_param { new_height: 7 new_width: 6 } }
    layer { name: "scores" type: "Power" bottom: "data" top: "scores" }"""
    scores = segmenter.Segmenter(read_net("net", text=text)).scores(image)
    small = torch.from_numpy(preprocessing.to_blob(smooth_resize(image, 7, 6), (), 2)[None])
    assert (scores == ops.interp(small, (10, 15))[0].numpy()).all()
    with pytest.raises(DeepLabError, match="image_data_param: new_height and new_width wanted, or neither"):
        segmenter.Segmenter(read_net("net", text=text.replace("new_width: 6", "")))
