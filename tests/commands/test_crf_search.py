import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe import crf
from deeplab_caffe.images import image_file


def search_case(folder, count=2):
    generator = np.random.default_rng(1)
    lines = []
    for number in range(count):
        truth = np.zeros((12, 14), np.uint8)
        truth[:, 7 - number :] = 1
        image = np.repeat(truth[:, :, None] * 200, 3, 2).astype(np.uint8)
        Image.fromarray(image).save(folder / f"i{number}.png")
        Image.fromarray(truth).save(folder / f"t{number}.png")
        scores = generator.normal(size=(2, 12, 14)).astype(np.float32)
        scores += np.stack([truth == 0, truth == 1])
        np.save(folder / f"i{number}.npy", scores)
        lines.append(f"i{number}.png t{number}.png")
    (folder / "list.txt").write_text("\n".join(lines))
    return [
        "crf-search",
        "--list",
        folder / "list.txt",
        "--root",
        folder,
        "--scores",
        folder,
        "-o",
        folder / "out",
    ]


GRID = "--bi-xy-std 5,20 --bi-rgb-std 3,10,30 --bi-w 2,5 --iterations 3".split()


@pytest.mark.slow
def test_max_pixels(tmp_path, succeeds, fails):
    arguments = [*search_case(tmp_path, 1), "--bi-xy-std", 5, "--bi-rgb-std", 3, "--bi-w", 2]
    assert "i0.png: 14x12, more than 167 pixels" in fails(*arguments, "--max-pixels", 167)
    succeeds(*arguments, "--max-pixels", 168)


def test_search(tmp_path, succeeds, fails):
    arguments = search_case(tmp_path)
    succeeds(*arguments, *GRID)
    with open(tmp_path / "out/search.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 13 and Image.open(tmp_path / "out/search.png").size[0] > 300
    values = [float(row["mean_iou"]) for row in rows]
    assert values == sorted(values, reverse=True) and rows[-1]["bi_w"] == ""
    best = {name: float(rows[0][name]) for name in ("pos_std", "pos_w", "bi_xy_std", "bi_rgb_std", "bi_w")}
    counts = 0
    for number in range(2):
        image = image_file.read_image(tmp_path / f"i{number}.png")
        labels = crf.refine(image, np.load(tmp_path / f"i{number}.npy"), iterations=3, **best).argmax(0)
        counts = counts + (labels == np.asarray(Image.open(tmp_path / f"t{number}.png"))).sum()
    assert float(rows[0]["pixel_accuracy"]) == pytest.approx(counts / (2 * 12 * 14))
    assert "another grid or list" in fails(*arguments, *GRID, "--pos-w", "4")


@pytest.mark.slow
def test_search_goes_on_after_an_interruption(tmp_path, succeeds, fails):
    arguments = search_case(tmp_path)
    succeeds(*arguments, *GRID)
    whole = (tmp_path / "out/search.csv").read_bytes()
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "i1.npy").rename(tmp_path / "away.npy")
    assert "none of i1_blob_0.mat" in fails(*arguments, *GRID)
    assert not (tmp_path / "out/search.csv").exists()
    (tmp_path / "away.npy").rename(tmp_path / "i1.npy")
    (tmp_path / "i0.npy").rename(tmp_path / "away.npy")
    # The first image's counts are there; only the number of labels is read again.
    np.save(tmp_path / "i0.npy", np.zeros((2, 12, 14), np.float32))
    succeeds(*arguments, *GRID)
    assert (tmp_path / "out/search.csv").read_bytes() == whole


def test_search_errors(tmp_path, fails):
    arguments = search_case(tmp_path)
    assert "--bi-w a: different numbers" in fails(*arguments, "--bi-w", "a")
    assert "--bi-xy-std 0" in fails(*arguments, "--bi-xy-std", "0")
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "t0.png")
    assert "ground truth (5, 5)" in fails(*arguments, *GRID)
