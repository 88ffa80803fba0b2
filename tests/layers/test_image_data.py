import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    for name in "ab":
        pixels = generator.integers(0, 256, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "list.txt").write_text("a.png 3\nb.png 5\n")
    return tmp_path


def text(folder, transform="", image_data=""):
    return f"""layer {{ name: "data" type: "ImageData" top: "data" top: "label"
      image_data_param {{ root_folder: "{folder}/" source: "{folder}/list.txt" {image_data} }}
      transform_param {{ {transform} }} }}"""


def pixels(path):
    return np.asarray(Image.open(path))[:, :, ::-1].transpose(2, 0, 1).astype(np.float32)


def test_images_and_labels(folder, run_layer):
    layer = run_layer(text(folder, "mean_value: 9 scale: 2"))
    for name, number in (("a", 3), ("b", 5), ("a", 3)):
        data, label = layer()
        assert (data[0].numpy() == (pixels(folder / f"{name}.png") - 9) * 2).all()
        assert label.tolist() == [number]


def test_crop_batch_and_v1_label_shape(folder, run_layer):
    data, label = run_layer(text(folder, "crop_size: 3", "batch_size: 2"))()
    assert (data[1].numpy() == pixels(folder / "b.png")[:, 0:3, 1:4]).all() and label.shape == (2,)
    v1 = text(folder, "crop_size: 3").replace("layer {", "layers {").replace('"ImageData"', "IMAGE_DATA")
    assert run_layer(v1)()[1].shape == (1, 1, 1, 1)


def test_resize_and_grey(folder, run_layer):
    data, _ = run_layer(text(folder, "", "new_height: 2 new_width: 3 is_color: false batch_size: 2"))()
    assert data.shape == (2, 1, 2, 3)


def test_mean_file(folder, run_layer):
    mean = caffe_pb2.BlobProto(num=1, channels=3, height=4, width=6, data=[1.5] * 72)
    (folder / "mean").write_bytes(mean.SerializeToString())
    data, _ = run_layer(text(folder, f'mean_file: "{folder}/mean"'))()
    assert (data[0].numpy() == pixels(folder / "a.png") - 1.5).all()
    (folder / "mean").write_bytes(b"\xff\xff")
    with pytest.raises(DeepLabError, match="not a mean image"):
        run_layer(text(folder, f'mean_file: "{folder}/mean"'))


def test_errors(folder, run_layer):
    with pytest.raises(DeepLabError, match="4x6 pixels, fewer than crop_size 5"):
        run_layer(text(folder, "crop_size: 5"))()
    with pytest.raises(DeepLabError, match="need a crop_size"):
        run_layer(text(folder, "", "batch_size: 2"))
    for field in ("channel_order: RGB", "std_value: 2"):
        with pytest.raises(DeepLabError, match="ImageSegData has it"):
            run_layer(text(folder, field))
    (folder / "list.txt").write_text("a.png x\n")
    with pytest.raises(DeepLabError, match="list.txt:1: label x"):
        run_layer(text(folder))()
