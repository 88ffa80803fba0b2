"""The verb eval, against counts made pixel by pixel."""

import json

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.formats.bin import write_bin
from deeplab_caffe.formats.mat import write_mat

NAMES = ["a", "b"]
PALETTE = "1 2 3 first\n4 5 6 second\n7 8 9 third\n"


@pytest.fixture
def case(tmp_path):
    """Two images with truth (255 = void), their predictions as .png; the folder and the arrays."""
    generator = np.random.default_rng(0)
    pairs = []
    (tmp_path / "predicted").mkdir()
    for name, size in zip(NAMES, ((20, 30), (17, 25)), strict=True):
        truth = generator.integers(0, 3, size, dtype=np.uint8)
        truth[generator.random(size) < 0.02] = 255
        predicted = np.where(generator.random(size) < 0.6, truth % 3, 1).astype(np.uint8)
        Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
        Image.fromarray(truth).save(tmp_path / f"{name}_truth.png")
        Image.fromarray(predicted).save(tmp_path / f"predicted/{name}.png")
        pairs.append((truth, predicted))
    (tmp_path / "list.txt").write_text("".join(f"{name}.png {name}_truth.png\n" for name in NAMES))
    (tmp_path / "palette.txt").write_text(PALETTE)
    return tmp_path, pairs


def near_void(truth, y, x, width):
    return (truth[max(0, y - width) : y + width + 1, max(0, x - width) : x + width + 1] == 255).any()


def counted(pairs, width=None):
    """Mean IoU, pixel accuracy and mean class accuracy, pixel by pixel; in the band if `width` is given."""
    hit, true, said = ([0] * 3 for _ in range(3))
    for truth, predicted in pairs:
        for (y, x), label in np.ndenumerate(truth):
            if label == 255 or (width is not None and not near_void(truth, y, x, width)):
                continue
            true[label] += 1
            said[predicted[y, x]] += 1
            hit[label] += label == predicted[y, x]
    iou = [h / (t + s - h) for h, t, s in zip(hit, true, said, strict=True)]
    recall = [h / t for h, t in zip(hit, true, strict=True)]
    return sum(iou) / 3, sum(hit) / sum(true), sum(recall) / 3, sum(true)


def arguments(folder):
    return ["eval", "--list", folder / "list.txt", "--root", folder, "--palette", folder / "palette.txt"]


def test_measures_are_those_of_a_count_by_pixel(case, succeeds):
    folder, pairs = case
    out = folder / "out"
    options = "--predictions", folder / "predicted", "--trimap", "4,1", "-o", out
    text = succeeds(*arguments(folder), *options)
    report = json.loads((out / "eval.json").read_text())
    iou, accuracy, recall, pixels = counted(pairs)
    assert report["images"] == 2 and report["pixels"] == pixels
    assert report["mean_iou"] == pytest.approx(iou, abs=1e-12)
    assert report["pixel_accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert report["mean_class_accuracy"] == pytest.approx(recall, abs=1e-12)
    assert [row["name"] for row in report["classes"]] == ["first", "second", "third"]
    for band, width in zip(report["trimap"], (1, 4), strict=True):
        iou, accuracy, _, pixels = counted(pairs, width)
        assert band["width"] == width and band["pixels"] == pixels
        assert band["mean_iou"] == pytest.approx(iou) and band["pixel_accuracy"] == pytest.approx(accuracy)
    assert np.sum(report["confusion"]) == report["pixels"]
    assert f"pixel accuracy {100 * report['pixel_accuracy']:.2f}" in text and "second" in text
    for picture in ("confusion.png", "trimap.png"):
        assert Image.open(out / picture).width > 100


@pytest.mark.slow
def test_predictions_in_every_format(case, succeeds):
    folder, pairs = case
    reports = []
    for kind in ("png", "labels", "npy", "mat", "blob"):
        predicted = folder / kind
        predicted.mkdir()
        for name, (_, labels) in zip(NAMES, pairs, strict=True):
            scores = (labels == np.arange(3)[:, None, None]).astype(np.float32)
            larger = np.pad(scores, ((0, 0), (0, 3), (0, 5)))[None]
            if kind == "png":
                Image.fromarray(labels).save(predicted / f"{name}.png")
            elif kind == "labels":
                write_bin(predicted / f"{name}.bin", labels[:, :, None].astype(np.int16))
            elif kind == "npy":
                np.save(predicted / f"{name}.npy", larger)
            else:
                write_mat(predicted / (f"{name}.mat" if kind == "mat" else f"{name}_blob_0.mat"), larger)
        succeeds(*arguments(folder), "--predictions", predicted, "-o", predicted)
        reports.append((predicted / "eval.json").read_text())
    assert len(set(reports)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--crf"],
        ["--crf", "--iterations", "3", "--bi-rgb-std", "4", "--flip"],
        ["--flip", "--scales", "1,2"],
        ["--mean", "1,2,90", "--pad-to", "24x24", "--weight-memory", "0"],
    ],
)
def test_a_net_has_the_labels_that_predict_writes(case, net, succeeds, options):
    folder, _ = case
    predict = "predict", "--model", net, folder / "list.txt", "--root", folder, "-o", folder
    succeeds(*predict, *options)
    stored, run = folder / "stored", folder / "run"
    succeeds(*arguments(folder), "--predictions", folder / "labels", "-o", stored)
    succeeds(*arguments(folder), "--model", net, *options, "-o", run)
    assert (run / "eval.json").read_text() == (stored / "eval.json").read_text()


def test_truth_without_void_pixels_has_no_bands(case, succeeds):
    folder, _ = case
    for path in folder.glob("*_truth.png"):
        truth = np.asarray(Image.open(path)).copy()
        truth[truth == 255] = 0
        Image.fromarray(truth).save(path)
    out = folder / "out"
    text = succeeds(*arguments(folder), "--predictions", folder / "predicted", "-o", out)
    assert "no labelled pixel is near a void one" in text and "within so many pixels" not in text
    report = json.loads((out / "eval.json").read_text())
    assert {(band["pixels"], band["mean_iou"]) for band in report["trimap"]} == {(0, None)}
    assert (out / "confusion.png").exists() and not (out / "trimap.png").exists()


def test_errors(case, fails, net):
    folder, _ = case
    assert "either --predictions or --model" in fails(*arguments(folder))
    assert "either --predictions or --model" in fails(
        *arguments(folder), "--predictions", folder, "--model", net
    )
    given = "--predictions", folder / "predicted"
    assert "--crf: only with --model" in fails(*arguments(folder), *given, "--crf")
    assert "--trimap 1,x" in fails(*arguments(folder), *given, "--trimap", "1,x")
    assert "list.txt:1: unexpected label 2 in the truth" in fails(*arguments(folder), *given, "--labels", 2)
    (folder / "predicted/b.png").unlink()
    assert "list.txt:2:" in (line := fails(*arguments(folder), *given)) and "no prediction b.png" in line
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(folder / "predicted/b.png")
    assert "3x3 labels for an image of 17x25" in fails(*arguments(folder), *given)
    (folder / "list.txt").write_text("a.png\n")
    assert "no label map" in fails(*arguments(folder), *given)
