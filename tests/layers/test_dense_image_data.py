import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    for name, size in (("a", (4, 6)), ("b", (4, 6)), ("c", (5, 6))):
        Image.fromarray(generator.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / f"{name}.png")
        Image.fromarray(generator.integers(0, 12, size, np.uint8) * 10).save(tmp_path / f"{name}_label.png")
    (tmp_path / "list.txt").write_text("".join(f"/{n}.png /{n}_label.png\n" for n in "abc"))
    return tmp_path


def text(folder, fields="", transform=""):
    return f"""layer {{ name: "data" type: "DenseImageData" top: "data" top: "label"
      dense_image_data_param {{ root_folder: "{folder}" source: "{folder}/list.txt" {fields} }}
      transform_param {{ {transform} }} }}"""


def stored(folder, name):
    image = np.asarray(Image.open(folder / f"{name}.png"))[:, :, ::-1].transpose(2, 0, 1)
    return image, np.asarray(Image.open(folder / f"{name}_label.png"))[None]


def test_batches_of_one_size(folder, run_layer):
    data, label = run_layer(text(folder, "batch_size: 2", "mean_value: 9"))()
    for n, name in enumerate("ab"):
        image, labels = stored(folder, name)
        assert (data[n].numpy() == image.astype(np.float32) - 9).all()
        assert (label[n].numpy() == labels).all()


def test_sizes_follow_the_images(folder, run_layer):
    layer = run_layer(text(folder, "batch_size: 1"))
    assert [tuple(layer()[0].shape) for _ in range(3)] == [(1, 3, 4, 6), (1, 3, 4, 6), (1, 3, 5, 6)]


def test_labels_are_divided(folder, run_layer):
    _, label = run_layer(text(folder, "batch_size: 1 label_divide_factor: 10"))()
    assert (label[0].numpy() == stored(folder, "a")[1] // 10).all()


def test_errors(folder, run_layer):
    with pytest.raises(DeepLabError, match="dense_image_data_param.source: images of several sizes in one"):
        run_layer(text(folder, "batch_size: 3"))()
    with pytest.raises(DeepLabError, match="dense_image_data_param.batch_size: 0 given"):
        run_layer(text(folder, "batch_size: 0"))
    with pytest.raises(DeepLabError, match="label_divide_factor: 0 given"):
        run_layer(text(folder, "batch_size: 1 label_divide_factor: 0"))
