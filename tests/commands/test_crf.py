"""The verbs crf, refine-pascal and crf-search."""

import numpy as np
import torch
from PIL import Image

from deeplab_caffe import crf
from deeplab_caffe.commands import main
from deeplab_caffe.formats.bin import write_bin
from deeplab_caffe.formats.mat import write_mat


def test_defaults_and_outputs(crf_case, succeeds):
    folder, image, unary = crf_case
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


def test_max_pixels(crf_case, succeeds, fails):
    folder = crf_case[0]
    given = ("--image", folder / "a.png", "--unary", folder / "unary.npy", "--map", folder / "map.png")
    assert "a.png: 11x9, more than 98 pixels" in fails("crf", *given, "--max-pixels", 98)
    succeeds("crf", *given, "--max-pixels", 99)


def test_scores_and_probabilities(crf_case, succeeds):
    folder, image, unary = crf_case
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


def test_crf_errors(crf_case, fails):
    folder, _, unary = crf_case
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
        "none.npy": "none.npy: No such file",
        "a.png": "a.png: no scores; looked for DeepLab v1 (.bin), MATLAB (.mat), NumPy (.npy)",
    }.items():
        assert message in fails("crf", *image, *out, "--unary", folder / name)
    assert "std 0: a number above 0" in fails("crf", *image, *out, *good, "--pos-std", "0")
    assert "std -1" in fails("crf", *image, *out, *good, "--bi-rgb-std", "-1")
    assert "--pos-w nan: a finite number" in fails("crf", *image, *out, *good, "--pos-w", "nan")
    assert "--iterations -1: 0 or more" in fails("crf", *image, *out, *good, "--iterations", "-1")
    too_many = "--iterations 2147483648: at most 2147483647 wanted"
    assert too_many in fails("crf", *image, *out, *good, "--iterations", 2**31)
    assert too_many in fails("refine-pascal", "-id", folder, "-fd", folder, "-sd", folder / "o", "-i", 2**31)
    assert "larger standard deviations" in fails("crf", *image, *out, *good, "--bi-rgb-std", "1e-6")
    assert not (folder / "m.npy").exists()


def test_folders(crf_case, succeeds, fails, capsys):
    folder, image, unary = crf_case
    photos, scores = folder / "photos", folder / "scores"
    photos.mkdir(), scores.mkdir()
    expected = {}
    for number, name in enumerate("cab"):
        Image.fromarray(np.roll(image, number, 1)).save(photos / f"{name}.png")
        energies = np.roll(unary, number, 2)
        np.save(scores / f"{name}.npy", -energies.transpose(2, 0, 1))
        expected[name] = crf.image_crf(np.roll(image, number, 1), 4).unary(energies).infer(10)
    write_mat(scores / "a_blob_0.mat", np.load(scores / "a.npy")[None])
    (scores / "a.npy").unlink()
    for threads in 1, 2, 4:
        out = folder / f"out{threads}"
        files = "--marginals", out / "q", "--map", out / "maps", "--threads", threads
        succeeds("crf", "--image", photos, "--scores", scores, *files)
        for name, marginals in expected.items():
            assert np.array_equal(np.load(out / f"q/{name}.npy"), marginals)
            labels = np.asarray(Image.open(out / f"maps/{name}.png"))
            assert np.array_equal(labels, marginals.argmax(2))
    assert "a folder wanted" in fails("crf", "--image", photos, "--scores", scores / "b.npy", *files)
    (scores / "b.npy").unlink()
    command = ["crf", "--image", photos, "--scores", scores, "--map", folder / "maps"]
    capsys.readouterr()
    assert main([str(word) for word in command]) == 1
    error = capsys.readouterr().err
    assert "b.npy" in error and "2 of 3 images refined" in error
    assert sorted(path.name for path in (folder / "maps").iterdir()) == ["a.png", "c.png"]
