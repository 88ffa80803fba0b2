import json
import signal
import subprocess
import sys
import tarfile
import time

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.assets import asset
from deeplab_caffe.commands import main, predict
from deeplab_caffe.crf.refinement import refine
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.evaluation.metrics import argmax_labels
from deeplab_caffe.formats.mat import read_mat
from deeplab_caffe.images.image_file import read_image, read_label
from deeplab_caffe.images.preprocessing import MEAN, to_blob
from tests import fresh


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photos" / "a.png"
    path.parent.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)).save(path)
    return path


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_all_results(net, photo, tmp_path, succeeds):
    out = tmp_path / "out"
    save = "labels,overlay,scores,mat"
    succeeds("predict", "-m", net, photo, "-o", out, "--save", save, "--palette", "camvid")
    assert files(out) == ["labels/a.png", "mat/a_blob_0.mat", "overlay/a.png", "predict.json", "scores/a.npy"]
    scores = np.load(out / "scores" / "a.npy")
    assert (scores == to_blob(read_image(photo), MEAN)).all()
    labels = read_label(out / "labels" / "a.png")
    assert (labels == scores.argmax(0)).all()
    assert (read_mat(out / "mat" / "a_blob_0.mat")[0] == scores).all()
    assert read_image(out / "overlay" / "a.png").shape == (6, 9, 3)
    (record,) = json.loads((out / "predict.json").read_text())
    assert (record["height"], record["width"]) == (6, 9)
    names = dict(enumerate(["sky", "building", "pole"]))
    assert record["classes"] == {names[i]: (labels == i).sum() for i in names if (labels == i).any()}


@pytest.mark.slow
def test_pages_are_loaded_only_where_one_is_wanted(net, photo, tmp_path):
    words = ["predict", "-m", str(net), str(photo), "-o", str(tmp_path / "out")]
    code = f"import sys; from deeplab_caffe.commands import main; main({words})"
    code += "; sys.exit('jinja2' in sys.modules)"
    done = fresh.run("-c", code)
    assert done.returncode == 0 and "1 of 1 images" in done.stdout + done.stderr


def test_a_red_photo_is_red_in_its_overlay(net, photo, tmp_path, succeeds):
    Image.new("RGB", (9, 6), (250, 0, 0)).save(photo)
    black = tmp_path / "black.txt"
    black.write_text("0 0 0\n" * 3)
    succeeds("predict", "-m", net, photo, "-o", tmp_path / "out", "--save", "overlay", "--palette", black)
    assert (read_image(tmp_path / "out" / "overlay" / "a.png") == (100, 0, 0)).all()


def test_folder_and_list(net, photo, tmp_path, succeeds):
    Image.open(photo).save(photo.with_name("b.jpg"))
    (photo.parent / "notes.md").write_text("not an image by its name")
    succeeds("predict", "-m", net, photo.parent, "-o", tmp_path / "folder", "--save", "labels")
    thumbnails = ["thumbnails/a.jpg", "thumbnails/b.jpg"]
    assert files(tmp_path / "folder") == [
        "index.html",
        "labels/a.png",
        "labels/b.png",
        "predict.json",
        *thumbnails,
    ]
    succeeds("predict", "-m", net, photo.parent, "-o", tmp_path / "bare", "--save", "labels", "--no-sheet")
    assert files(tmp_path / "bare") == ["labels/a.png", "labels/b.png", "predict.json"]
    (tmp_path / "list.txt").write_text("/photos/a.png /labels/a.png\n")
    arguments = ("predict", "-m", net, tmp_path / "list.txt", "--root", tmp_path, "-o", tmp_path / "list")
    succeeds(*arguments, "--save", "labels")
    assert files(tmp_path / "list") == ["labels/a.png", "predict.json"]


def test_shards_and_stores(net, photo, tmp_path, succeeds):
    """As from a folder, but for the place in the records and the link to the photo."""
    pytest.importorskip("fsspec", reason="needs fsspec")
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.add(photo, "x/b.png")
    address = f"file://{photo}"
    (tmp_path / "list.txt").write_text(f"{address}\n")
    arguments = ("predict", "-m", net, "--save", "labels", "-o", tmp_path / "out")
    succeeds(*arguments, tmp_path / "shard.tar", f"file://{photo.parent}", tmp_path / "list.txt")
    succeeds(*arguments[:-1], tmp_path / "folder", photo)
    labels = tmp_path / "out" / "labels"
    plain = (tmp_path / "folder" / "labels" / "a.png").read_bytes()
    assert (labels / "a.png").read_bytes() == plain == (labels / "b.png").read_bytes()
    records = json.loads((tmp_path / "out" / "predict.json").read_text())
    assert [record["image"] for record in records] == [f"{tmp_path}/shard.tar/x/b.png", address]


def test_broken_image_among_others(net, photo, tmp_path, capsys):
    photo.with_name("b.jpg").write_text("this is text")
    photo.with_name("c.png").write_bytes(photo.read_bytes()[:100])
    out = tmp_path / "out"
    assert main(["predict", "-m", str(net), str(photo.parent), "-o", str(out), "--save", "labels"]) == 1
    error = capsys.readouterr().err
    assert "b.jpg: not an image" in error and "c.png: broken image" in error and "1 of 3 images" in error
    assert files(out) == ["index.html", "labels/a.png", "predict.json", "thumbnails/a.jpg"]
    assert "b.jpg: not an image" in (out / "index.html").read_text()
    assert [bool(r.get("error")) for r in json.loads((out / "predict.json").read_text())] == [
        False,
        True,
        True,
    ]


def test_several_at_a_time_write_what_one_writes(net, tmp_path, capsys):
    """Files, their bytes, their order and the errors are those of one image after the other."""
    photos = tmp_path / "photos"
    photos.mkdir()
    generator = np.random.default_rng(1)
    for number in range(14):
        size = generator.integers(3, 40, 2)
        pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{number:02}.png")
    (photos / "05.png").write_text("this is text")
    (photos / "09.png").write_bytes(b"")
    save = "--save", "labels,overlay,scores,mat", "--crf", "--iterations", "2"
    found = {}
    for threads in "1", "2", "5":
        out = tmp_path / threads
        run = ["predict", "-m", net, photos, "-o", out, *save, "--threads", threads]
        assert main([str(word) for word in run]) == 1
        records = json.loads((out / "predict.json").read_text().replace(str(out), "OUT"))
        assert [record["image"] for record in records] == [str(photos / f"{n:02}.png") for n in range(14)]
        for record in records:
            record.pop("seconds", None)
        contents = {name: (out / name).read_bytes() for name in files(out) if name != "predict.json"}
        found[threads] = records, contents, capsys.readouterr().err.replace(str(out), "OUT")
    assert found["1"] == found["2"] == found["5"]
    assert len(found["1"][1]) == 12 * 5 + 1 and found["1"][2].count("error: ") == 2


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_interrupted(tmp_path, sent):
    """What is there then is whole, and after Ctrl-C there is nothing else; the command ends at once."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for number in range(60):
        Image.fromarray(pixels).save(photos / f"{number:02}.png")
    run = ["predict", "-m", "camvid_largefov", "-w", "camvid_largefov", photos, "-o", out, "--threads", "2"]
    command = subprocess.Popen(
        [sys.executable, "-m", "deeplab_caffe", *map(str, run)], stderr=subprocess.PIPE, text=True
    )
    while len(list(out.glob("overlay/*.png"))) < 3 and command.poll() is None:
        time.sleep(0.01)
    command.send_signal(sent)
    _, error = command.communicate(timeout=60)
    assert command.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL), error
    for path in [*out.glob("labels/*.png"), *out.glob("overlay/*.png"), *out.glob("thumbnails/*.jpg")]:
        read_image(path)
    assert not (out / "predict.json").exists()
    if sent == signal.SIGINT:
        assert error.strip().splitlines()[-1] == "interrupted"
        assert not [path for path in out.rglob("*") if path.name.startswith(".")]


def test_one_pixel(net, tmp_path, succeeds):
    Image.new("RGB", (1, 1), (200, 0, 0)).save(tmp_path / "one.png")
    succeeds("predict", "-m", net, tmp_path / "one.png", "-o", tmp_path / "out", "--weight-memory", "0")
    assert read_label(tmp_path / "out" / "labels" / "one.png").tolist() == [[2]]


def test_errors(net, photo, tmp_path, fails):
    out = tmp_path / "out"
    text = tmp_path / "text.jpg"
    text.write_text("this is text")
    wrong = {
        ("-m", tmp_path / "none.prototxt", photo): "none.prototxt",
        ("-m", net, tmp_path / "none.jpg"): "none.jpg: no such image",
        ("-m", net, text): "text.jpg: not an image",
        ("-m", net, photo, "--save", "labels,nothing"): "--save nothing",
        ("-m", net, photo, "--palette", "nothing"): "palette nothing",
        ("-m", net, photo, "--mean", "1,2"): "mean: 2 values",
        ("-m", net, photo, "--mean", "x"): "--mean x",
        ("-m", net, photo, "--precision", "half"): "precision: half",
        ("-m", net, photo, "-w", tmp_path / "none.caffemodel"): "none.caffemodel",
        ("-m", net, photo, "--weight-memory", "much"): "--weight-memory much",
        ("-m", net, photo, "--weight-memory", "1M", "--precision", "bf16"): "not bf16 on cpu",
        ("-m", net, photo, "--scores-blob", "nothing"): "no blob is named 'nothing'",
    }
    for arguments, message in wrong.items():
        assert message in fails("predict", *arguments, "-o", out)
    assert not out.exists()


@pytest.mark.slow
def test_nets_that_are_no_deploy_nets(tmp_path, photo, fails):
    net = tmp_path / "test.prototxt"
    net.write_text(
        'layers { name: "d" type: IMAGE_SEG_DATA top: "data" image_data_param { source: "x" } '
        "transform_param { crop_size: 9 } }"
    )
    assert "feeds itself from data layers" in fails("predict", "-m", net, photo, "-o", tmp_path)
    two = 'input: "a" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'
    net.write_text(
        two
        + two.replace('"a"', '"b"')
        + 'layer { name: "c" type: "Concat" bottom: "a" bottom: "b" top: "c" }'
    )
    assert "one input wanted, it has a, b" in fails("predict", "-m", net, photo, "-o", tmp_path)
    net.write_text(two + 'layer { name: "s" type: "Slice" bottom: "a" top: "x" top: "y" top: "z" }')
    assert "choose one of its outputs" in fails("predict", "-m", net, photo, "-o", tmp_path)


def test_same_name_twice(photo, tmp_path):
    other = tmp_path / "a.jpg"
    Image.open(photo).save(other)
    with pytest.raises(DeepLabError, match="would write the same results 'a'"):
        predict.collect([str(photo), str(other)])
    with pytest.raises(DeepLabError, match="no images in this folder"):
        (tmp_path / "empty").mkdir()
        predict.collect([str(tmp_path / "empty")])


def test_crf(net, photo, tmp_path, succeeds, fails):
    out = tmp_path / "out"
    save = ("--save", "labels,scores", "-o", out)
    succeeds("predict", "-m", net, photo, "--crf", "--iterations", 3, "--bi-xy-std", 5, *save)
    image = read_image(photo)
    scores = to_blob(image, MEAN)
    expected = refine(image, scores, iterations=3, bi_xy_std=5)
    assert (np.load(out / "scores" / "a.npy") == expected).all()
    assert (read_label(out / "labels" / "a.png") == expected.argmax(0)).all()
    assert "std" in fails("predict", "-m", net, photo, "--crf", "--pos-std", -1, *save)


def test_weights_that_do_not_fit(tmp_path, photo, fails):
    model = asset("prototxt/camvid_largefov/deploy.prototxt")
    whole = asset("weights/camvid_largefov.caffemodel")
    broken = tmp_path / "broken.caffemodel"
    out = ("-o", tmp_path / "out")
    broken.write_bytes(whole.read_bytes()[:3_000_000])
    assert "broken.caffemodel: not a whole caffemodel" in fails(
        "predict", "-m", model, "-w", broken, photo, *out
    )
    broken.write_bytes(b"")
    assert "broken.caffemodel" in fails("predict", "-m", model, "-w", broken, photo, *out)
    other = asset("prototxt/deeplab_v1/largefov/deploy.prototxt")
    line = fails("predict", "-m", other, "-w", whole, photo, *out)
    assert "conv1_1" in line and "24x3x3x3" in line and "64x3x3x3" in line
    renamed = tmp_path / "renamed.prototxt"
    renamed.write_text(model.read_text().replace('"fc8_', '"fc9_'))
    line = fails("predict", "-m", renamed, "-w", whole, photo, *out)
    assert "no weights for fc9_camvid; layers there that the net lacks: fc8_camvid" in line
    line = fails("predict", "-m", model, photo, *out)
    assert "no weights given (--weights) for conv1_1, conv1_2" in line and "--random-weights" in line
    assert not (tmp_path / "out").exists()


def test_random_weights_are_had_on_demand(tmp_path, photo, succeeds, fails):
    model = asset("prototxt/camvid_largefov/deploy.prototxt")
    run = "predict", "-m", model, photo, "-o", tmp_path / "out", "--random-weights", "--save", "labels"
    succeeds(*run)
    assert files(tmp_path / "out") == ["labels/a.png", "predict.json"]
    assert "one of them wanted" in fails(*run, "-w", asset("weights/camvid_largefov.caffemodel"))


def test_several_views(net, photo, tmp_path, succeeds, fails):
    out = tmp_path / "out"
    options = ("predict", "-m", net, photo, "-o", out, "--save", "labels,scores")
    succeeds(*options, "--scales", "0.5,1", "--flip")
    scores = np.load(out / "scores" / "a.npy")
    assert np.allclose(scores.sum(0), 1, atol=1e-5)
    assert (read_label(out / "labels" / "a.png") == argmax_labels(scores)).all()
    succeeds(*options, "--flip", "--crf", "--iterations", "0")
    once = np.load(out / "scores" / "a.npy")
    succeeds(*options, "--flip")
    assert np.allclose(once, np.load(out / "scores" / "a.npy"), atol=1e-5)
    succeeds(*options, "--pad-to", "20x20")
    assert np.load(out / "scores" / "a.npy").shape == (3, 6, 9)
    assert "--pad-to 9" in fails(*options, "--pad-to", "9")
    assert "--scales 1;2" in fails(*options, "--scales", "1;2")
    assert "scales: 0" in fails(*options, "--scales", "0")


def test_long_names(net, photo, tmp_path, succeeds, fails):
    """240 characters do; where the results' names would be too long, nothing is begun."""
    long = photo.rename(photo.with_name("a" * 240 + ".png"))
    succeeds("predict", "-m", net, long, "-o", tmp_path / "out", "--save", "labels,scores,mat", "--sheet")
    assert f"mat/{'a' * 240}_blob_0.mat" in files(tmp_path / "out")
    longer = long.rename(photo.with_name("a" * 250 + ".png"))
    error = fails("predict", "-m", net, longer, "-o", tmp_path / "none", "--save", "labels,mat")
    assert "with _blob_0.mat, would be too long for a file" in error and not (tmp_path / "none").exists()
    succeeds("predict", "-m", net, longer, "-o", tmp_path / "out", "--save", "labels,overlay")


def test_names_that_collide(net, photo, tmp_path, fails):
    other = tmp_path / "b" / "a.jpg"
    other.parent.mkdir()
    Image.open(photo).save(other)
    assert "would write the same results 'a'" in fails(
        "predict", "-m", net, photo, other, "-o", tmp_path / "o"
    )
    assert not (tmp_path / "o").exists()


def test_max_pixels(net, photo, tmp_path, fails, succeeds):
    out = ("-o", tmp_path / "out", "--save", "labels")
    assert "a.png: 9x6, more than 53 pixels" in fails("predict", "-m", net, photo, "--max-pixels", 53, *out)
    succeeds("predict", "-m", net, photo, "--max-pixels", 54, *out)
