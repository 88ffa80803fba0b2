import hashlib
import json

import numpy as np
import pytest
import torch

from deeplab_caffe.commands import forward, main
from deeplab_caffe.engine.net import Net


@pytest.fixture
def array(tmp_path):
    values = np.random.default_rng(0).standard_normal((2, 3, 5, 7)).astype(np.float32)
    np.save(tmp_path / "input.npy", values)
    return values


def test_dump(net, array, tmp_path, succeeds):
    net.write_text(
        net.read_text()
        + """layers { name: "a/b" type: ELTWISE bottom: "scores" bottom: "data"
      top: "scores/2" eltwise_param { operation: PROD } }"""
    )
    dump = tmp_path / "dump"
    for text in (tmp_path / "input.npy", f"data={tmp_path}/input.npy"):
        (result,) = succeeds("forward", "-m", net, "--input", text, "--dump", dump, "--json")
    assert sorted(p.name for p in dump.iterdir()) == [
        "000_scores__scores.npy",
        "001_a_b__scores_2.npy",
        "forward.json",
    ]
    square = np.load(dump / "001_a_b__scores_2.npy")
    assert square.dtype == np.float32 and (square == array * array).all()
    sha = hashlib.sha256(square.tobytes()).hexdigest()
    layers = json.loads((dump / "forward.json").read_text())["layers"]
    assert [layer["blob"] for layer in layers] == ["scores", "scores/2"]
    assert layers[1]["sha256"] == result["scores/2"]["sha256"] == sha and layers[1]["shape"] == [2, 3, 5, 7]


def test_table(net, array, tmp_path, succeeds):
    assert "scores" in succeeds("forward", "-m", net, "--input", tmp_path / "input.npy")


def test_iterations_over_a_data_layer(tmp_path, succeeds):
    for k in range(3):
        np.save(tmp_path / "x.npy", np.full((1, 1, 2, 2), k, np.float32))
    import h5py

    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = np.arange(3, dtype=np.float32).reshape(3, 1)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/x.h5\n")
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "d" type: "HDF5Data" top: "data" hdf5_data_param { source: "${LIST}" batch_size: 1 } }'
    )
    arguments = ("forward", "-m", net, "--set", f"LIST={tmp_path}/list.txt", "--iterations", 3, "--json")
    results = succeeds(*arguments, "--dump", tmp_path / "dump")
    assert [result["data"]["values"] for result in results] == [[0], [1], [2]]
    assert np.load(tmp_path / "dump" / "000002" / "000_d__data.npy").item() == 2


FOLDING = """input: "data" input_dim: 2 input_dim: 3 input_dim: 5 input_dim: 7
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 6 kernel_size: 3
  weight_filler { type: "gaussian" std: 1 } } }
layer { name: "n" type: "BatchNorm" bottom: "c" top: "n" }
layer { name: "s" type: "Scale" bottom: "n" top: "n" scale_param { bias_term: true } }
layer { name: "r" type: "ReLU" bottom: "n" top: "n" }
layer { name: "d" type: "Convolution" bottom: "n" top: "d" convolution_param { num_output: 2 kernel_size: 1
  weight_filler { type: "gaussian" std: 1 } } }
"""


@pytest.mark.parametrize("precision", ["exact", "fp32", "bf16"])
def test_a_dump_is_what_the_precision_computes(array, tmp_path, succeeds, precision):
    path, weights, dump = tmp_path / "net.prototxt", tmp_path / "net.caffemodel", tmp_path / "dump"
    path.write_text(FOLDING)
    net, draw = Net(path), torch.Generator().manual_seed(1)
    for blob in (*net.params["n"][:2], *net.params["s"]):
        blob.data = torch.rand(blob.shape, generator=draw) + 0.3
    net.params["n"][2].data = torch.full((1,), 3.0)
    net.save(weights)
    run = "forward", "-m", path, "-w", weights, "--input", tmp_path / "input.npy", "--json"
    (result,) = succeeds(*run, "--precision", precision, "--dump", dump)
    (plain,) = succeeds(*run, "--precision", precision)
    assert result == plain  # watching changes nothing
    records = json.loads((dump / "forward.json").read_text())["layers"]
    assert [record["layer"] for record in records] == list("cnsrd")
    last = np.load(dump / "004_d__d.npy")
    assert (last == Net(path, weights, precision=precision)(array).numpy()).all()
    exact = Net(path, weights)(array).numpy()
    assert (last == exact).all() == (precision == "exact")
    missing = [record["layer"] for record in records if "note" in record]
    assert missing == ([] if precision == "exact" else list("cns"))
    assert len(list(dump.glob("*.npy"))) == 5 - len(missing)
    inner = np.load(dump / "003_r__n.npy")
    kept = Net(path, weights, precision=precision, keep_blobs=True)
    assert (kept(array).numpy() == last).all() and (kept.blobs["n"].float().numpy() == inner).all()


def test_weights_that_do_not_fit(tmp_path, capsys, fails):
    net, weights, x = tmp_path / "net.prototxt", tmp_path / "net.caffemodel", tmp_path / "x.npy"
    text = """input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "fc8_${EXP}" type: "Convolution" bottom: "c" top: "d"
  convolution_param { num_output: 2 kernel_size: 1 } }"""
    net.write_text(text)
    Net(net, variables={"EXP": "voc12"}).save(weights)
    np.save(x, np.ones((1, 3, 8, 8), np.float32))
    run = "forward", "-m", net, "--input", x, "--set", "EXP=."
    assert main([str(word) for word in (*run, "-w", weights)]) == 0
    lines = capsys.readouterr().err.splitlines()
    wanted = f"warning: {weights}: no weights for fc8_.; layers there that the net lacks: fc8_voc12"
    assert lines == [wanted]
    assert "no weights given (--weights) for c, fc8_.;" in fails(*run)
    assert main([str(word) for word in (*run, "--random-weights")]) == 0
    assert capsys.readouterr().err == ""


def test_streamed_weights(tmp_path, succeeds, fails):
    net, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_text(
        """input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 99 kernel_size: 5 weight_filler { type: "gaussian" std: 1 } } }"""
    )
    Net(net).save(weights)
    np.save(tmp_path / "x.npy", np.ones((1, 3, 8, 8), np.float32))
    run = "forward", "-m", net, "-w", weights, "--input", tmp_path / "x.npy", "--json"
    wanted = succeeds(*run)
    for size in ("0", "20K", "1G"):
        assert succeeds(*run, "--weight-memory", size) == wanted
    assert "--weight-memory 1.5G: a number of bytes wanted" in fails(*run, "--weight-memory", "1.5G")
    line = fails(*run, "--weight-memory", "1M", "--precision", "bf16")
    assert "weights are streamed in exact and fp32 on cpu, not bf16" in line


def test_errors(net, array, tmp_path, fails):
    (tmp_path / "text.npy").write_text("this is text")
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.save(tmp_path / "flat.npy", array.ravel())
    wrong = {
        (): "input 'data' is missing",
        ("--input", tmp_path / "none.npy"): "none.npy: No such file",
        ("--input", tmp_path / "text.npy"): "text.npy: no .npy file",
        ("--input", tmp_path / "words.npy"): "numbers wanted",
        ("--input", tmp_path / "flat.npy"): "4 dimensions",
        ("--input", f"other={tmp_path}/input.npy"): "other",
        ("--phase", "deploy"): "phase",
        ("--set", "X"): "NAME=VALUE",
    }
    for arguments, message in wrong.items():
        assert message in fails("forward", "-m", net, *arguments, "--dump", tmp_path / "dump"), arguments
    assert not (tmp_path / "dump").exists()


def test_statistics():
    record = forward.statistics(np.float32([[-3, 1]]))
    assert (record["shape"], record["mean"], record["absmax"], record["values"]) == ([1, 2], -1, 3, [-3, 1])


def test_stages_levels_and_the_dialect(tmp_path, succeeds, fails):
    net = tmp_path / "net.prototxt"
    net.write_text(
        'input: "a" input_dim: 1 input_dim: 3 input_dim: 2 input_dim: 2\n'
        'layers { name: "m" type: ARGMAX bottom: "a" top: "m" include { stage: "deploy" } }\n'
        'layers { name: "r" type: RELU bottom: "a" top: "r" include { min_level: 2 } }\n'
    )
    np.save(tmp_path / "a.npy", np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2))
    run = ("forward", "-m", net, "--input", tmp_path / "a.npy", "--json")
    assert list(succeeds(*run)[0]) == ["a"]
    assert list(succeeds(*run, "--level", "2")[0]) == ["r"]
    assert succeeds(*run, "--stage", "deploy", "--dialect", "v1")[0]["m"]["shape"] == [1, 1, 2, 2]
    assert succeeds(*run, "--stage", "deploy", "--dialect", "v2")[0]["m"]["shape"] == [1, 1, 1, 1]
