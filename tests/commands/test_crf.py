"""The verbs crf, refine-pascal and crf-search."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deeplab_caffe import crf
from deeplab_caffe.formats.bin import read_bin, write_bin
from deeplab_caffe.formats.mat import write_mat
from deeplab_caffe.images import image_file

PIPELINE = Path(__file__).parents[3] / "shared/reference/pipeline"
FLAGS = "-i 10 -px 3 -py 3 -pw 3 -bx 50 -by 50 -br 10 -bg 10 -bb 10 -bw 5".split()


@pytest.fixture
def case(tmp_path):
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (9, 11, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    unary = generator.random((9, 11, 4), np.float32) * 4
    np.save(tmp_path / "unary.npy", unary)
    return tmp_path, image, unary


def test_defaults_and_outputs(case, succeeds):
    folder, image, unary = case
    out = folder / "out/m.npy"
    succeeds("crf", "--image", folder / "a.png", "--unary", folder / "unary.npy", "--marginals", out)
    model = crf.image_crf(image, 4).unary(unary)
    assert np.array_equal(np.load(out), model.infer(10))
    arguments = "--pos-std 4 --pos-w 2 --bi-xy-std 30 --bi-rgb-std 20 --bi-w 0 --iterations 3".split()
    files = "--marginals", out, "--map", folder / "map.png"
    succeeds("crf", "--image", folder / "a.png", "--unary", folder / "unary.npy", *arguments, *files)
    model = crf.DenseCRF(9, 11, 4).gaussian(4, 2).unary(unary)
    assert np.array_equal(np.load(out), model.infer(3))
    assert np.array_equal(np.asarray(Image.open(folder / "map.png")), model.map())


def test_scores_and_probabilities(case, succeeds):
    folder, image, unary = case
    probabilities = torch.softmax(-torch.from_numpy(unary), 2).numpy()
    larger = np.zeros((1, 4, 12, 13), np.float32)
    larger[0, :, :9, :11] = -unary.transpose(2, 0, 1)
    np.save(folder / "scores.npy", -unary.transpose(2, 0, 1))
    np.save(folder / "larger.npy", larger)
    write_mat(folder / "scores.mat", larger)
    np.save(folder / "probabilities.npy", probabilities)
    write_bin(folder / "probabilities.bin", probabilities)
    results = []
    for option, name in [
        ("--unary", "unary.npy"),
        ("--scores", "scores.npy"),
        ("--scores", "larger.npy"),
        ("--scores", "scores.mat"),
        ("--probabilities", "probabilities.npy"),
        ("--probabilities", "probabilities.bin"),
    ]:
        out = folder / "m.npy"
        succeeds("crf", "--image", folder / "a.png", option, folder / name, "--marginals", out)
        results.append(np.load(out))
    assert all(np.array_equal(results[0], r) for r in results[1:4])
    assert all(np.allclose(results[0], r, atol=1e-4) for r in results[4:])


def test_crf_errors(case, fails):
    folder, _, unary = case
    image, out = ("--image", folder / "a.png"), ("--marginals", folder / "m.npy")
    good = "--unary", folder / "unary.npy"
    np.save(folder / "small.npy", unary[1:])
    np.save(folder / "nan.npy", unary * np.nan)
    np.save(folder / "text.npy", np.array(["a"]))
    (folder / "broken.npy").write_bytes(b"\x93NUMPY broken")
    assert "one of --unary" in fails("crf", *image, *out)
    assert "one of --unary" in fails("crf", *image, *out, *good, "--scores", folder / "unary.npy")
    assert "nothing to write" in fails("crf", *image, *good)
    assert ".png file wanted" in fails("crf", *image, *good, "--map", folder / "m.jpg")
    for name, message in {
        "small.npy": "small.npy: 8 x 11 x 4 values for an image of 9 x 11",
        "nan.npy": "nan",
        "text.npy": "text.npy: an array of numbers",
        "broken.npy": "broken.npy: no .npy file",
        "none.npy": "none.npy: no .npy file: No such file",
        "a.png": "a.png: no scores; looked for DeepLab v1 (.bin), MATLAB (.mat), NumPy (.npy)",
    }.items():
        assert message in fails("crf", *image, *out, "--unary", folder / name)
    assert "std 0: a number above 0" in fails("crf", *image, *out, *good, "--pos-std", "0")
    assert "std -1" in fails("crf", *image, *out, *good, "--bi-rgb-std", "-1")
    assert "--pos-w nan: a finite number" in fails("crf", *image, *out, *good, "--pos-w", "nan")
    assert "--iterations -1: 0 or more" in fails("crf", *image, *out, *good, "--iterations", "-1")
    assert "larger standard deviations" in fails("crf", *image, *out, *good, "--bi-rgb-std", "1e-6")
    assert not (folder / "m.npy").exists()


@pytest.mark.skipif(not PIPELINE.exists(), reason="needs the reference run")
@pytest.mark.parametrize(
    "features, expected", [("refine_pascal/features", "refine_pascal"), ("mat", "refine_pascal_v4")]
)
def test_refine_pascal_writes_the_original_bytes(features, expected, tmp_path, succeeds):
    folders = "-id", PIPELINE / "ppm", "-fd", PIPELINE / features, "-sd", tmp_path / "out"
    succeeds("refine-pascal", *folders, *FLAGS)
    for file in sorted((PIPELINE / expected / "expected").iterdir()):
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes(), file.name
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_refine_pascal_defaults_and_failures(case, fails, capsys):
    from deeplab_caffe.commands import main

    folder, image, unary = case
    (folder / "ppm").mkdir()
    Image.fromarray(image).save(folder / "ppm/a.ppm")
    probabilities = torch.softmax(-torch.from_numpy(unary), 2).numpy()
    folders = [str(a) for a in ("-id", folder / "ppm", "-fd", folder, "-sd", folder / "out")]
    assert "neither a.bin or a_blob_0.mat for image a" in fails("refine-pascal", *folders)
    write_bin(folder / "a.bin", probabilities)
    assert main(["refine-pascal", *folders]) == 0
    energy = crf.energies_of(probabilities, "probabilities")
    model = crf.image_crf(image, 4).unary(energy).step(10)
    assert np.array_equal(read_bin(folder / "out/a.bin")[:, :, 0], model.map())
    (folder / "ppm/b.ppm").write_text("P6 broken")
    capsys.readouterr()
    assert main(["refine-pascal", *folders]) == 1
    assert "b.ppm" in capsys.readouterr().err
    assert "--bi-g-std 0: a number above 0" in fails("refine-pascal", *folders, "-bg", "0")
    shutil.copy(folder / "a.bin", folder / "a_blob_0.mat")
    (folder / "ppm/b.ppm").unlink()
    assert "both a.bin or" in fails("refine-pascal", *folders)
    assert "no .ppm images" in fails("refine-pascal", "-id", folder, "-fd", folder, "-sd", folder)


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
