import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.evaluation.metrics import argmax_labels
from deeplab_caffe.formats.mat import write_mat
from deeplab_caffe.segmenter.segmenter import Segmenter
from deeplab_caffe.validate.comparing import Measure
from deeplab_caffe.validate.diagnosis.diagnose import diagnose
from deeplab_caffe.validate.request import Request, read_photos
from deeplab_caffe.validate.validation import first_difference, validate

NAMES = ["conv1", "relu1", "pool1", "sub/fc8", "interp"]


def run(small, *against, measure=None, **options):
    request = Request(
        small.model, small.weights, against, inputs={"data": small.x}, measure=measure or Measure(), **options
    )
    return validate(request.job(), request.environment("a test"))


def test_equal_dumps(small, tmp_path):
    result = run(small, small.dump(tmp_path / "dump", small.blobs()))
    assert result.equal and result.first is None
    assert [c.layer for c in result.comparisons] == NAMES
    assert {c.status for c in result.comparisons} == {"equal"}
    count = sum(array.size for array in small.blobs().values())
    assert result.headline == f"equal: all 5 arrays have the same bits ({count:,} values)"
    assert result.unpaired_ours == result.unpaired_theirs == []
    assert [layer.name for layer in result.layers] == NAMES and result.layers[4].bottoms == ["fc8"]
    json.dumps(result.to_json(), allow_nan=False)


def test_a_difference_is_found_where_it_begins(small, tmp_path):
    blobs = small.blobs()
    blobs["pool1", "pool1"][0, 2, 3, 4] += 1
    result = run(small, small.dump(tmp_path / "dump", blobs))
    assert (
        not result.equal
        and [c.status for c in result.comparisons] == ["equal"] * 2 + ["different"] + ["equal"] * 2
    )
    found = result.comparisons[result.first]
    assert (found.layer, found.bottoms, found.numbers.different) == ("pool1", ["conv1"], 1)
    assert found.numbers.worst.index == [0, 2, 3, 4] and found.map.array()[3, 4] > 0
    assert np.count_nonzero(found.map.array()) == 1
    assert found.picture.kind == "values" and found.picture.channel == 2
    assert found.picture.theirs.array()[3, 4] - found.picture.ours.array()[3, 4] == pytest.approx(1, abs=1e-4)
    assert result.headline.startswith("differs from layer 'pool1' (Pooling) on: ")


def test_scores_tell_labels(small, tmp_path):
    blobs = small.blobs()
    scores = blobs["interp", "scores"]
    before = argmax_labels(scores)[0, 5, 6]
    scores[0, (before + 1) % 4, 5, 6] = scores[0, before, 5, 6] + 2
    result = run(small, small.dump(tmp_path / "dump", blobs))
    labels = result.comparisons[-1].labels
    assert labels.changed == 1 and labels.largest_margin == 2
    change = labels.changes[0]
    assert (change.row, change.column, change.ours, change.theirs) == (5, 6, before, (before + 1) % 4)
    assert "1 of 289 labels change" in result.headline
    assert result.comparisons[-1].picture.kind == "labels"


def test_what_is_allowed(small, tmp_path):
    blobs = small.blobs()
    blobs["pool1", "pool1"][:] = np.nextafter(blobs["pool1", "pool1"], np.float32(np.inf))
    folder = small.dump(tmp_path / "dump", blobs)
    assert not run(small, folder).equal
    allowed = run(small, folder, measure=Measure(ulp=1))
    assert allowed.equal and allowed.comparisons[2].status == "close" and "up to 1 ulp" in allowed.headline
    assert run(small, folder, measure=Measure(tolerance=1e-6)).equal
    blobs["pool1", "pool1"][0, 0, 0, 0] = np.nan
    small.dump(folder, blobs)
    assert not run(small, folder, measure=Measure(ulp=1, tolerance=1)).equal


def test_blobs_by_name_alone_are_the_last_of_it(small, tmp_path):
    blobs = small.blobs()
    arrays = {"conv1": blobs["relu1", "conv1"], "scores": blobs["interp", "scores"], "data": small.x}
    np.savez(tmp_path / "blobs.npz", **arrays, other=np.zeros(3))
    result = run(small, tmp_path / "blobs.npz")
    assert result.equal and [(c.layer, c.kind) for c in result.comparisons] == [
        ("", "input"),
        ("relu1", "blob"),
        ("interp", "blob"),
    ]
    assert [one.name for one in result.unpaired_ours] == ["conv1", "pool1", "sub/fc8: fc8"]
    assert len(result.unpaired_theirs) == 1 and "other" in result.unpaired_theirs[0].name


def test_a_blob_given_twice(small, tmp_path):
    folder = small.dump(tmp_path / "dump", small.blobs())
    np.save(folder / "scores.npy", small.blobs()["interp", "scores"])
    result = run(small, folder)
    assert result.equal and len(result.comparisons) == 5
    [left] = result.unpaired_theirs
    assert left.name.endswith("scores.npy") and "'scores' was taken from" in left.reason
    assert left.reason.endswith("interp__scores.npy")


def test_names_of_nothing(small, tmp_path):
    np.savez(tmp_path / "blobs.npz", a=np.zeros(3), b=np.zeros(3))
    with pytest.raises(DeepLabError, match="blobs of the net: data, conv1, pool1, fc8, "):
        run(small, tmp_path / "blobs.npz")


def test_a_lone_file_is_the_scores(small, tmp_path):
    scores = small.blobs()["interp", "scores"]
    write_mat(tmp_path / "whatever.mat", scores)
    assert run(small, tmp_path / "whatever.mat").equal
    labels = argmax_labels(scores)[0].astype(np.uint8)
    Image.fromarray(labels).save(tmp_path / "whatever.png")
    result = run(small, tmp_path / "whatever.png")
    assert result.equal and result.comparisons[0].kind == "labels"
    Image.fromarray(labels[:9, :11]).save(tmp_path / "part.png")
    assert run(small, tmp_path / "part.png").equal
    labels[0, 0] += 1
    Image.fromarray(labels).save(tmp_path / "whatever.png")
    result = run(small, tmp_path / "whatever.png")
    assert not result.equal and "1 of 289 labels change" in result.headline


def test_a_lone_label_map_of_another_size(small, tmp_path, monkeypatch):
    monkeypatch.setattr(Net, "forward", lambda *_, **__: pytest.fail("nothing need run"))
    Image.fromarray(np.zeros((16, 18), np.uint8)).save(tmp_path / "large.png")
    with pytest.raises(DeepLabError, match=r"large\.png: 16x18 labels, blob 'scores' of the net has 17x17$"):
        run(small, tmp_path / "large.png")
    Image.fromarray(np.zeros((12, 15, 3), np.uint8)).save(tmp_path / "photo.png")
    Image.fromarray(np.zeros((15, 12), np.uint8)).save(tmp_path / "labels.png")
    segmenter = Segmenter(small.model, small.weights)
    for name in ("labels.png", "large.png"):
        request = Request(
            small.model,
            small.weights,
            [tmp_path / name],
            photos=[str(tmp_path / "photo.png")],
            segmenter=segmenter,
        )
        with pytest.raises(DeepLabError, match=rf"{name}: 1.x1. labels, the photo has 12x15 pixels$"):
            request.job()


def test_label_maps_of_another_size_explain_nothing(small, tmp_path):
    photos = [str(tmp_path / f"{name}.png") for name in "ab"]
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for path in photos:
        Image.fromarray(np.zeros((12, 15, 3), np.uint8)).save(path)
        Image.fromarray(np.zeros((15, 12), np.uint8)).save(theirs / Path(path).name)
    segmenter = Segmenter(small.model, small.weights)
    request = Request(small.model, small.weights, [theirs], photos=photos, segmenter=segmenter)
    result = validate(request.job(), request.environment("a test"), diagnose)
    assert [c.status for c in result.comparisons] == ["shape", "shape"] and result.diagnosis.trials == []
    assert result.headline == (
        "differs from layer 'interp' (Interp), blob 'scores' of a on: ours is 12x15, theirs 15x12; "
        "label maps of different sizes are not compared, so nothing was tried"
    )


def test_a_lone_file_is_the_blob_of_its_shape(small, tmp_path):
    write_mat(tmp_path / "whatever.mat", small.blobs()["sub/fc8", "fc8"])
    result = run(small, tmp_path / "whatever.mat")
    assert result.equal and result.comparisons[0].layer == "sub/fc8"


def test_another_shape(small, tmp_path):
    blobs = small.blobs()
    blobs["pool1", "pool1"] = blobs["pool1", "pool1"][:, :, :8, :8]
    result = run(small, small.dump(tmp_path / "dump", blobs))
    assert result.comparisons[2].status == "shape"
    assert "ours is 1x6x9x9, theirs 1x6x8x8" in result.headline


def test_hashes(small, tmp_path):
    subprocess_free = tmp_path / "forward.json"
    from deeplab_caffe.commands.forward import statistics

    records = [
        {"layer": layer, "blob": blob, **statistics(array)} for (layer, blob), array in small.blobs().items()
    ]
    subprocess_free.write_text(json.dumps({"layers": records}))
    result = run(small, subprocess_free)
    assert result.equal and all(c.by_hash and c.numbers is None for c in result.comparisons)
    records[2]["sha256"] = "0" * 64
    subprocess_free.write_text(json.dumps({"layers": records}))
    result = run(small, subprocess_free)
    assert result.first == 2 and "another sha256" in result.headline


def test_weights(small, tmp_path):
    net = small.net()
    net.params["conv1"][0].data[0, 0, 0, 0] += 1
    net.save(tmp_path / "other.caffemodel")
    assert run(small, small.weights).equal
    result = run(small, tmp_path / "other.caffemodel")
    assert [(c.kind, c.blob, c.status) for c in result.comparisons[:2]] == [
        ("parameter", "conv1/0", "different"),
        ("parameter", "conv1/1", "equal"),
    ]
    assert "parameter conv1/0" in result.headline


def test_another_net_runs_beside(small, tmp_path):
    net = small.net()
    net.params["sub/fc8"][0].data[0, 0, 0, 0] += 1
    net.save(tmp_path / "other.caffemodel")
    result = run(small, other_weights=tmp_path / "other.caffemodel")
    assert [(c.layer, c.status) for c in result.comparisons[1:]] == [
        (name, "equal" if name in NAMES[:3] else "different") for name in NAMES
    ]
    renamed = tmp_path / "renamed.prototxt"
    renamed.write_text(small.text.replace('"relu1"', '"other"').replace('"data"', '"image"'))
    result = run(small, other_model=renamed)
    assert result.equal
    assert [c.layer for c in result.comparisons] == NAMES
    assert [one.name for one in result.unpaired_theirs] == ["the other net: input, image"]


def test_another_precision(small):
    """bf16 makes one pass of conv1 and relu1, so only what relu1 leaves is there."""
    result = run(small, other_precision="bf16")
    assert not result.equal and result.comparisons[result.first].layer == "relu1"
    assert [(one.name, one.reason[:12]) for one in result.unpaired_ours] == [("conv1", "not computed")]
    assert result.comparisons[result.first].numbers.error < 0.01


def test_photos(small, tmp_path):
    generator = np.random.default_rng(5)
    (tmp_path / "images").mkdir()
    for name, size in (("a", (17, 17)), ("b", (12, 15))):
        Image.fromarray(generator.integers(0, 256, (*size, 3), np.uint8)).save(
            tmp_path / "images" / f"{name}.png"
        )
    (tmp_path / "list.txt").write_text("images/a.png\nimages/b.png\n")
    photos = read_photos(tmp_path / "list.txt")
    deploy = tmp_path / "deploy.prototxt"
    deploy.write_text(small.text.replace("height: 17 width: 17", "zoom_factor: 2"))
    segmenter = Segmenter(deploy, small.weights)
    theirs = tmp_path / "theirs"
    for kind in ("mat", "scores", "labels"):  # as `predict` sorts them
        (theirs / kind).mkdir(parents=True)
    for photo, name in zip(photos, "ab", strict=True):
        image = np.array(Image.open(photo))
        write_mat(theirs / "mat" / f"{name}_blob_0.mat", segmenter.scores(image)[None])
        np.save(theirs / "scores" / f"{name}.npy", segmenter.scores(image))
        Image.fromarray(segmenter.labels(image)).save(theirs / "labels" / f"{name}.png")
    request = Request(deploy, small.weights, [theirs], photos=photos, segmenter=segmenter)
    result = validate(request.job(), request.environment("a test"))
    assert result.equal and [(c.image, c.kind) for c in result.comparisons] == [
        ("a", "labels"),
        ("a", "blob"),
        ("a", "blob"),
        ("b", "labels"),
        ("b", "blob"),
        ("b", "blob"),
    ]
    assert result.comparisons[4].shape == result.comparisons[5].shape == [1, 4, 12, 15]
    assert not result.unpaired_theirs
    with pytest.raises(DeepLabError, match=r"c\.png: no such image"):
        Request(deploy, small.weights, [theirs], photos=["c.png"], segmenter=segmenter).job()


def test_another_net_for_several_photos(small, tmp_path):
    generator = np.random.default_rng(6)
    photos = [str(tmp_path / f"{name}.png") for name in "ab"]
    for path in photos:
        Image.fromarray(generator.integers(0, 256, (17, 17, 3), np.uint8)).save(path)
    net = small.net()
    net.params["sub/fc8"][1].data[0] += 1
    net.save(tmp_path / "other.caffemodel")
    segmenter = Segmenter(small.model, small.weights)
    options = {"photos": photos, "segmenter": segmenter, "other_weights": tmp_path / "other.caffemodel"}
    request = Request(small.model, small.weights, **options)
    result = validate(request.job(), request.environment("a test"))
    statuses = {image: [c.status for c in result.comparisons if c.image == image] for image in "ab"}
    assert statuses["a"] == statuses["b"] == ["equal"] * 4 + ["different"] * 2


def test_errors(small, tmp_path):
    with pytest.raises(DeepLabError, match="against: files or folders wanted, or another net"):
        run(small)
    np.save(tmp_path / "elsewhere.npy", small.x)
    np.save(tmp_path / "else.npy", small.x)
    with pytest.raises(DeepLabError, match="nothing to compare: names of theirs: else, elsewhere"):
        run(small, tmp_path / "elsewhere.npy", tmp_path / "else.npy")
    with pytest.raises(DeepLabError, match="input 'data' is missing"):
        request = Request(small.model, small.weights, [tmp_path / "else.npy"])
        request.job()
    with pytest.raises(DeepLabError, match="blobs or photos wanted, not both"):
        Request(small.model, small.weights, [tmp_path], inputs={"data": small.x}, photos=["a.png"]).job()


def test_paths_may_be_text(small, tmp_path):
    folder = str(small.dump(tmp_path / "dump", small.blobs()))
    request = Request(str(small.model), str(small.weights), [folder], inputs={"data": small.x})
    assert validate(request.job(), request.environment("a test")).equal


def test_the_environment_names_the_files(small):
    request = Request(
        small.model, small.weights, [small.weights], inputs={"data": small.x}, paths=[("input", small.input)]
    )
    found = request.environment("deeplab-caffe validate")
    assert [file.role for file in found.files] == ["model", "weights", "input", "against"]
    digest = subprocess.run(["sha256sum", small.weights], capture_output=True, text=True, check=True).stdout[
        :64
    ]
    assert found.files[1].sha256 == digest and found.files[1].bytes == small.weights.stat().st_size
    assert found.device == "cpu" and found.precision == "exact" and found.versions["numpy"] == np.__version__


def test_first_difference():
    assert first_difference([]) is None
