import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError


@pytest.fixture
def data(tmp_path):
    """Two images, 4x6 and 5x3, with label maps, and their list."""
    generator = np.random.default_rng(0)
    arrays = []
    for name, (height, width) in (("a", (4, 6)), ("b", (5, 3))):
        image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        label = generator.integers(0, 4, (height, width), dtype=np.uint8)
        Image.fromarray(image[:, :, ::-1]).save(tmp_path / f"{name}.png")
        Image.fromarray(label).save(tmp_path / f"{name}_label.png")
        arrays.append((image.transpose(2, 0, 1).astype(np.float32), label.astype(np.float32)))
    (tmp_path / "list.txt").write_text("/a.png /a_label.png\n\nb.png b_label.png\n")
    return tmp_path, arrays


def v1(folder, transform="", image_data="label_type: PIXEL", tops=3):
    names = "".join(f'top: "{name}" ' for name in ("data", "label", "data_dim")[:tops])
    return f"""layers {{ name: "data" type: IMAGE_SEG_DATA {names}
      image_data_param {{ root_folder: "{folder}" source: "{folder}/list.txt" {image_data} }}
      transform_param {{ {transform} }} }}"""


MEAN = "mean_value: 10.5 mean_value: 20 mean_value: 30"


def test_pads_with_mean_and_ignore_label(data, run_layer):
    folder, arrays = data
    layer = run_layer(v1(folder, f"crop_size: 7 scale: 0.5 {MEAN}"))
    for image, label in (*arrays, arrays[0]):
        height, width = label.shape
        blob, labels, dim = layer()
        expected = np.zeros((3, 7, 7), np.float32)
        expected[:, :height, :width] = (image - np.float32([10.5, 20, 30]).reshape(3, 1, 1)) * np.float32(0.5)
        assert blob.shape == (1, 3, 7, 7) and (blob[0].numpy() == expected).all()
        assert (labels[0, 0, :height, :width].numpy() == label).all()
        assert (labels[0, 0, height:] == 255).all() and (labels[0, 0, :, width:] == 255).all()
        assert dim.shape == (1, 1, 1, 2) and dim.ravel().tolist() == [height, width]


def test_channel_order_and_deviation(data, run_layer):
    folder, arrays = data
    text = v1(folder, f"channel_order: RGB std_value: [2, 4, 5] {MEAN}")
    blob = run_layer(text)()[0]
    mean, std = (np.float32(v).reshape(3, 1, 1) for v in ((10.5, 20, 30), (2, 4, 5)))
    assert (blob[0].numpy() == (arrays[0][0][::-1] - mean) / std).all()
    with pytest.raises(DeepLabError, match="std: 2 values"):
        run_layer(v1(folder, "std_value: [1, 2]"))


def test_takes_the_middle_crop_in_test_phase(data, run_layer):
    folder, arrays = data
    blob, labels, dim = run_layer(v1(folder, "crop_size: 3"))()
    assert (blob[0].numpy() == arrays[0][0][:, 0:3, 1:4]).all()
    assert (labels[0, 0].numpy() == arrays[0][1][0:3, 1:4]).all()
    assert dim.ravel().tolist() == [3, 3]


def test_without_crop_the_tops_follow_the_image(data, run_layer):
    folder, arrays = data
    layer = run_layer(v1(folder))
    for image, _ in arrays:
        assert (layer()[0][0].numpy() == image).all()


def test_batches(data, run_layer):
    folder, arrays = data
    blob, _, dim = run_layer(v1(folder, "crop_size: 6", "label_type: PIXEL batch_size: 3"))()
    assert dim.reshape(3, 2).tolist() == [[4, 6], [5, 3], [4, 6]]
    assert (blob[1, :, :5, :3].numpy() == arrays[1][0]).all()


def test_label_types(data, run_layer):
    folder, _ = data
    assert (run_layer(v1(folder, "", "label_type: NONE ignore_label: 7"))()[1] == 7).all()
    assert (run_layer(v1(folder, "", "has_label: false"))()[1] == 255).all()
    (folder / "list.txt").write_text("a.png 3\n")
    assert (run_layer(v1(folder, "", "label_type: IMAGE"))()[1] == 3).all()
    assert len(run_layer(v1(folder, "", "has_label: false", tops=2))()) == 2
    assert len(run_layer(v1(folder, "", "has_label: false", tops=1))()) == 1


def test_train_crops_mirror_and_scale_the_same_for_image_and_label(tmp_path, run_layer):
    values = np.arange(80, dtype=np.uint8).reshape(8, 10)
    Image.fromarray(np.repeat(values[:, :, None], 3, axis=2)).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "l.png")
    (tmp_path / "list.txt").write_text("a.png l.png\n")
    text = f"""layer {{ name: "data" type: "ImageSegData" top: "data" top: "label"
      image_data_param {{ root_folder: "{tmp_path}/" source: "{tmp_path}/list.txt" label_type: PIXEL }}
      transform_param {{ crop_width: 4 crop_height: 3 mirror: true SCALE }} }}"""
    layer = run_layer(text.replace("SCALE", ""), phase="train")
    seen = set()
    for _ in range(30):
        blob, label = layer()
        assert blob.shape == (1, 3, 3, 4) and (blob[0, 0] == label[0, 0]).all()
        seen.add((int(label[0, 0, 0, 0]), bool(label[0, 0, 0, 1] > label[0, 0, 0, 0])))
    assert len(seen) > 10 and {mirrored for _, mirrored in seen} == {False, True}
    scaled = run_layer(text.replace("SCALE", "scale_factors: 2"), phase="train")
    assert scaled()[1].unique().numel() <= 9


def test_shuffle_is_seeded_and_complete(data, run_layer):
    folder, _ = data
    text = v1(folder, "", "label_type: PIXEL shuffle: true")

    def heights():
        layer = run_layer(text, seed=1)
        return [int(layer()[2].ravel()[0]) for _ in range(8)]

    first = heights()
    assert first == heights() and first.count(4) == 4


@pytest.mark.parametrize(
    "line, message",
    [
        ("none.png a_label.png", "list.txt:1: .*none.png: no such image"),
        ("a.png b_label.png", "4x6 pixels, its label map b_label.png 5x3"),
        ("a.png", "no label map in this line"),
        ("list.txt a_label.png", "list.txt: not an image"),
    ],
)
def test_errors_name_list_and_image(data, run_layer, line, message):
    folder, _ = data
    (folder / "list.txt").write_text(line + "\n")
    with pytest.raises(DeepLabError, match=message):
        run_layer(v1(folder))()


@pytest.mark.parametrize(
    "image_data, transform, message",
    [
        ("batch_size: 2", "", "need a crop_size"),
        ("batch_size: 0", "", "1 or more"),
        ("new_height: 3", "", "new_height and new_width"),
        ("", "mean_value: 1 mean_value: 2", "1 or 3 values"),
        ("", 'mean_file: "m"', "mean_value"),
        ("", "crop_width: 3", "crop_height"),
    ],
)
def test_wrong_fields(data, run_layer, image_data, transform, message):
    with pytest.raises(DeepLabError, match=message):
        run_layer(v1(data[0], transform, image_data))


def test_missing_or_empty_list(tmp_path, run_layer):
    with pytest.raises(DeepLabError, match="list.txt: No such file"):
        run_layer(v1(tmp_path))()
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(DeepLabError, match="empty"):
        run_layer(v1(tmp_path))()


@pytest.fixture
def train_layer(data, run_layer):
    """A layer in TRAIN phase with everything that is random; train_layer(seed=..., rank=..., ranks=...)."""
    folder, _ = data
    text = f"""layer {{ name: "data" type: "ImageSegData" top: "data" top: "label" top: "data_dim"
      image_data_param {{ root_folder: "{folder}" source: "{folder}/list.txt" label_type: PIXEL shuffle: true
                         rand_skip: 5 batch_size: 2 }}
      transform_param {{ crop_size: 4 mirror: true scale_factors: [0.5, 1, 2.5] brightness: 0.5 }} }}"""
    return lambda **context: run_layer(text, phase="train", **context)


def bytes_of(tops):
    return [top.numpy().tobytes() for top in tops]


def test_a_batch_is_a_function_of_seed_and_number(train_layer):
    layer = train_layer(seed=3)
    run = [bytes_of(layer()) for _ in range(6)]
    assert len({batch[0] for batch in run}) == 6
    again = train_layer(seed=3)
    again()
    for number in (4, 1, 0):
        again.layer.seek(number)
        assert [bytes_of(again()), bytes_of(again())] == run[number : number + 2]
    assert bytes_of(train_layer(seed=4)()) != run[0]


def test_ranks_share_out_the_samples(train_layer):
    one = train_layer(seed=3)
    batches = [bytes_of(one()) for _ in range(4)]
    for rank in range(2):
        layer = train_layer(seed=3, rank=rank, ranks=2)
        assert [bytes_of(layer()) for _ in range(2)] == batches[rank::2]


def test_brightness(tmp_path, run_layer):
    Image.fromarray(np.full((2, 2, 3), 100, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "list.txt").write_text("a.png\n")
    layer = run_layer(v1(tmp_path, "brightness: 0.5", "label_type: NONE"), phase="train", seed=1)
    values = [layer()[0].unique() for _ in range(50)]
    assert all(len(v) == 1 for v in values)
    values = [float(v) for v in values]
    assert min(values) >= 50 and max(values) <= 150 and max(values) - min(values) > 80
    assert (run_layer(v1(tmp_path, "brightness: 0.5", "label_type: NONE"))()[0] == 100).all()


@pytest.mark.parametrize(
    "transform", ["scale_factors: 0", "scale_factors: 17", "brightness: 1", "brightness: nan"]
)
def test_wrong_random_ranges(data, run_layer, transform):
    with pytest.raises(DeepLabError, match="transform_param"):
        run_layer(v1(data[0], transform))


def test_errors_of_samples_read_ahead_come_when_they_are_due(data, run_layer):
    folder, _ = data
    (folder / "list.txt").write_text("a.png a_label.png\nnone.png a_label.png\n")
    layer = run_layer(v1(folder), phase="train")
    layer()
    with pytest.raises(DeepLabError, match="list.txt:2: .*none.png: no such image"):
        layer()
