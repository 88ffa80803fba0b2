"""On two local nodes: what a pool does, and a verb by way of it."""

import json
import os
import threading
import time

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.cluster.pool import Pool, in_order
from deeplab_caffe.cluster.terms import Cluster, Status
from deeplab_caffe.commands import main
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parts import permission
from tests.cluster.work import Square, refused

ray = pytest.importorskip("ray", reason="needs ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nodes():
    """Two of one core each; `nodes()` is the second, started anew if it was killed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    machines = cluster_utils.Cluster(
        initialize_head=True, connect=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    machines.second = machines.add_node(num_cpus=1)
    machines.wait_for_nodes()
    yield machines
    ray.shutdown()
    machines.shutdown()


def each(make, items, cluster, status=None):
    return Pool(make, cluster, status or Status()).run(items)


def test_in_order():
    assert list(in_order([(2, "c"), (0, "a"), (3, "d"), (1, "b")])) == ["a", "b", "c", "d"]


def test_items(nodes, tmp_path):
    """Broken items, warnings, a worker that dies of an item wherever it is tried."""
    notes = []
    status = Status(note=notes.append)
    items = [(number, str(tmp_path)) for number in range(20)]
    found = dict(each(Square, items, Cluster("auto"), status))
    assert found.keys() == set(range(20))
    assert str(found.pop(3)) == "3: broken"
    assert "given up, 3 workers were lost with it" in str(found.pop(7))
    # Where a worker is lost before it could tell what it had done, that is first thought to be the cause.
    assert len(list(tmp_path.glob("*.lost"))) == status.lost and status.lost in (3, 4)
    assert {number: result[0] for number, result in found.items()} == {n: n**2 for n in found}
    assert {result[1] for result in found.values()} == {1} and 1 <= status.most <= 2
    assert notes.count("warning: 4 is even") == 1


def test_errors(nodes):
    with pytest.raises(DeepLabError, match="no such net"):
        list(each(refused, [1], Cluster("auto")))
    with pytest.raises(DeepLabError, match="--threads 2: with --ray these are a worker's cores"):
        list(each(Square, [1], Cluster("auto", threads=2)))
    with pytest.raises(DeepLabError, match="no machine of the cluster has a GPU"):
        list(each(Square, [1], Cluster("auto", gpus=1)))
    with pytest.raises(TypeError):
        list(each(Square, [5], Cluster("auto")))


NET = """name: "copy" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "scores" type: "Python" bottom: "data" top: "scores"
  python_param { module: "tests.cluster.slow_layer" layer: "Slow" param_str: "%s" } }
"""


def test_predict_while_a_node_is_killed(nodes, tmp_path, capsys, monkeypatch):
    """All results, none twice, the single process's bytes; what is done is not done again."""
    monkeypatch.setattr(permission, "_allowed", False)  # restored afterwards
    begun = tmp_path / "begun"
    begun.mkdir()
    (tmp_path / "net.prototxt").write_text(NET % begun)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(20):
        pixels = np.random.default_rng(number).integers(0, 256, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{number:02}.png")
    (photos / "broken.png").write_bytes((photos / "00.png").read_bytes()[:99])
    command = ["predict", "-m", str(tmp_path / "net.prototxt"), str(photos), "--crf", "--palette", "camvid"]
    command.append("--allow-python-layers")

    def run(folder, *more):
        code = main([*command, "--save", "labels,scores", "-o", str(tmp_path / folder), *more])
        return code, capsys.readouterr().err

    def kill():
        end = time.monotonic() + 60
        while len(list(begun.iterdir())) < 3 and time.monotonic() < end:  # this process and both workers
            time.sleep(0.01)
        time.sleep(1)
        nodes.remove_node(nodes.second, allow_graceful=False)

    assert run("one")[0] == 1
    killer = threading.Thread(target=kill)
    killer.start()
    code, said = run("many", "--ray")
    killer.join()
    assert code == 1 and "broken.png: broken image" in said, said
    assert "20 of 21 images segmented (" in said and "2 workers, 1 lost)" in said
    one, many = (contents(tmp_path / folder) for folder in ("one", "many"))
    assert many.pop("predict.jsonl").count(b"\n") == 21
    assert records(one) == records(many)
    assert one == many and len(one) == 20 * 3 + 1

    # Again: what is gone and what was broken, nothing else.
    (tmp_path / "many" / "labels" / "03.png").unlink()
    before = times(tmp_path / "many")
    assert run("many", "--ray")[0] == 1
    changed = {name for name, time in times(tmp_path / "many").items() if before.get(name) != time}
    assert changed == {"labels/03.png", "scores/03.npy", "thumbnails/03.jpg", "index.html", "predict.json"}
    code, said = run("many", "--ray", "--flip")
    assert code == 2 and "predict.jsonl: of a run with another flip" in said


def test_crf_eval_and_search(nodes, tmp_path, capsys):
    """Each gives what it gives in one process, and goes on with what is left."""
    folders = [tmp_path / name for name in ("photos", "scores", "truth")]
    for folder in folders:
        folder.mkdir()
    photos, scores, truth = folders
    random = np.random.default_rng(0)
    for name in "abcd":
        Image.fromarray(random.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(photos / f"{name}.png")
        np.save(scores / f"{name}.npy", random.normal(size=(3, 20, 30)).astype(np.float32))
        Image.fromarray(random.integers(0, 3, (20, 30), dtype=np.uint8)).save(truth / f"{name}.png")
    lines = [f"photos/{name}.png truth/{name}.png" for name in "abcd"]
    (tmp_path / "list.txt").write_text("\n".join(lines) + "\n")

    def run(verb, *words, said=""):
        code = main([verb, *map(str, words)])
        captured = capsys.readouterr()
        assert code == 0 and said in captured.err, captured.err
        return captured.out

    refine = ["crf", "--image", photos, "--scores", scores]
    listed = ["--list", tmp_path / "list.txt", "--root", tmp_path]
    for name, ray_words in (("one", []), ("many", ["--ray"])):
        out = tmp_path / name
        run(*refine, "--marginals", out / "marginals", "--map", out / "maps", *ray_words)
        measured = run("eval", *listed, "--predictions", scores, "--labels", 3, "-o", out, *ray_words)
        assert "4 images" in measured and not (out / "eval.jsonl").exists()
        search = ["crf-search", *listed, "--scores", scores, "-o", out, "--bi-rgb-std", "3,9"]
        run(*search, "--bi-xy-std", "20", "--iterations", 2, *ray_words)
    one, many = (contents(tmp_path / name) for name in ("one", "many"))
    assert many.pop("maps/crf.jsonl").count(b"\n") == 5
    assert one == many and "search.csv" in one and "eval.json" in one and len(one) > 8

    (tmp_path / "many/maps/b.png").unlink()
    again = "4 of 4 images refined ("
    run(*refine, "--marginals", out / "marginals", "--map", out / "maps", "--ray", said=again)
    assert contents(tmp_path / "many")["maps/b.png"] == one["maps/b.png"]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def records(files):
    """What predict.json says but for the time it took and where it lies."""
    found = json.loads(files.pop("predict.json"))
    for record in found:
        record.pop("seconds", None)
        record.pop("files", None)
    return found


def times(folder):
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name != "predict.jsonl"
    }
