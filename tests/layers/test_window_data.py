import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.mean_image import write_mean
from deeplab_caffe.images.resize import resize_image

SIZE = (20, 24)


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(("a.png", "b.png")):
        pixels = np.random.default_rng(seed).integers(1, 256, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


def planes(path):
    return np.asarray(Image.open(path))[:, :, ::-1].transpose(2, 0, 1).astype(np.float32)


def windows(folder, *boxes, image="a.png"):
    """Writes a window file: a background window without contents, and these of class 5."""
    lines = ["0 0.1 1 1 4 4\n1 0.5 3 3 5 5 \n"] + [f"5 0.9 {' '.join(map(str, box))}\n" for box in boxes]
    (folder / "w.txt").write_text(
        f"# 0\n{image}\n3\n{SIZE[0]}\n{SIZE[1]}\n{len(boxes) + 2}\n" + "".join(lines)
    )


def text(folder, data="", transform="crop_size: 9"):
    fields = f'source: "{folder}/w.txt" root_folder: "{folder}/" fg_threshold: 0.6 bg_threshold: 0.4 {data}'
    return (
        f'layer {{ name: "w" type: "WindowData" top: "data" top: "label" window_data_param {{ {fields} }} '
        f"transform_param {{ {transform} }} }}"
    )


ONE = "batch_size: 1 fg_fraction: 1"


def test_a_window_warped(folder, run_layer):
    windows(folder, (3, 5, 17, 18))
    data, label = run_layer(text(folder, ONE))()
    image = np.asarray(Image.open(folder / "a.png"))
    assert label.tolist() == [5]
    assert (data[0].numpy() == resize_image(image[5:19, 3:18], 9, 9)[:, :, ::-1].transpose(2, 0, 1)).all()


def test_context(folder, run_layer):
    """A crop of 12 with 2 pixels around: 8 columns and 4 rows grow by 3/2, to 13 columns and 7 rows."""
    windows(folder, (8, 8, 15, 11))
    data, _ = run_layer(text(folder, ONE + " context_pad: 2", "crop_size: 12"))()
    image = np.asarray(Image.open(folder / "a.png"))
    # The centre is (12, 10); half of the sizes 6 and 3.
    wanted = resize_image(image[7:14, 6:19], 12, 12)
    assert (data[0].numpy() == wanted[:, :, ::-1].transpose(2, 0, 1)).all()


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(
    "box", [(4, 4, 11, 11), (-3, 2, 4, 9), (19, 15, 26, 22), (5, -4, 9, 3), (20, 3, 22, 10)]
)
def test_square_windows_over_the_border(folder, run_layer, mirror, box):
    """8 pixels make a square of 9, the crop's size: every pixel is the image's, or 0 outside of it."""
    windows(folder, box)
    mean = np.asarray([10, 20, 30], np.float32)
    fields = "crop_size: 9 scale: 0.5 " + " ".join(f"mean_value: {m:g}" for m in mean)
    run = run_layer(text(folder, ONE + ' crop_mode: "square"', fields + (" mirror: true" if mirror else "")))
    image = planes(folder / "a.png")
    left = round(box[0] + (box[2] - box[0] + 1) / 2 - 4)
    top = round(box[1] + (box[3] - box[1] + 1) / 2 - 4)
    wanted = np.zeros((3, 9, 9), np.float32)
    for c, y, x in np.ndindex(3, 9, 9):
        if 0 <= top + y < SIZE[0] and 0 <= left + x < SIZE[1]:
            wanted[c, y, x] = (image[c, top + y, left + x] - mean[c]) * np.float32(0.5)
    seen = {run()[0][0].numpy().tobytes() for _ in range(12 if mirror else 2)}
    assert seen == ({wanted.tobytes(), wanted[:, :, ::-1].tobytes()} if mirror else {wanted.tobytes()})


def test_the_middle_of_the_mean_file(folder, run_layer):
    windows(folder, (4, 4, 11, 11))
    mean = np.random.default_rng(3).random((3, 13, 13), dtype=np.float32) * 99
    write_mean(folder / "mean", mean)
    run = run_layer(text(folder, ONE + ' crop_mode: "square"', f'crop_size: 9 mean_file: "{folder}/mean"'))
    assert (run()[0][0].numpy() == planes(folder / "a.png")[:, 4:13, 4:13] - mean[:, 2:11, 2:11]).all()


def test_shares_of_a_batch_and_seeds(folder, run_layer):
    windows(folder, (3, 5, 17, 18), (0, 0, 8, 8))
    layer = text(folder, "batch_size: 10 fg_fraction: 0.25")
    run = run_layer(layer, seed=1)
    batches = [run() for _ in range(4)]
    assert all(label.tolist() == [0] * 8 + [5] * 2 for _, label in batches)
    kinds = {data[i].numpy().tobytes() for data, _ in batches for i in (8, 9)}
    assert len(kinds) == 2
    again = run_layer(layer, seed=1)
    again.layer.seek(2)
    assert (again()[0] == batches[2][0]).all()
    peer = run_layer(layer, seed=1, rank=1, ranks=2)
    assert (peer()[0] == batches[1][0]).all()
    cached = run_layer(text(folder, "batch_size: 10 fg_fraction: 0.25 cache_images: true"), seed=1)
    assert (cached()[0] == batches[0][0]).all() and (cached()[0] == batches[1][0]).all()


def test_errors(folder, run_layer):
    windows(folder, (3, 5, 17, 18))

    def refused(match, *fields):
        with pytest.raises(DeepLabError, match=match):
            run_layer(text(folder, *fields))()

    refused("batch_size: 0 given", "")
    refused("crop_size: missing", ONE, "")
    refused("crop_mode: round: warp or square", ONE + ' crop_mode: "round"')
    refused("context_pad: 5 given, less than half of crop_size 9", ONE + " context_pad: 5")
    refused("fg_fraction: 2 given", "batch_size: 1 fg_fraction: 2")
    refused("mean_file: given beside mean_value", ONE, 'crop_size: 9 mean_value: 1 mean_file: "x"')
    refused("mean_value: 2 given for 3 channels", ONE, "crop_size: 9 mean_value: 1 mean_value: 2")
    windows(folder, (3, 5, 30, 18))
    refused("w.txt:9: window 3 5 30 18 outside of the image's 20x24 pixels", ONE)
    windows(folder, (3, 5, 17, 18), image="none.png")
    refused("w.txt:9: .*none.png: no such image", ONE)
    windows(folder)
    refused("no foreground windows in it", ONE)
