"""The benchmarks compute what they say; how long it takes is not tested."""

import json

import pytest
import torch

from deeplab_caffe.assets import asset
from deeplab_caffe.bench import measure, net_gpu
from deeplab_caffe.bench.net import PEERS, random_weights
from deeplab_caffe.bench.net_gpu_report import net_gpu_chart, net_gpu_table
from deeplab_caffe.bench.torch_net import TorchNet
from deeplab_caffe.commands import main
from deeplab_caffe.engine.net import Net

NET = """
name: "tiny" input: "data" input_dim: 1 input_dim: 3 input_dim: 33 input_dim: 41
layer { name: "c1" type: "Convolution" bottom: "data" top: "c1"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 bias_term: false } }
layer { name: "n1" type: "BatchNorm" bottom: "c1" top: "c1" }
layer { name: "s1" type: "Scale" bottom: "c1" top: "c1" scale_param { bias_term: true } }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "p1" type: "Pooling" bottom: "c1" top: "p1" pooling_param { kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "c2" type: "Convolution" bottom: "p1" top: "c2"
  convolution_param { num_output: 8 kernel_size: 3 pad: 4 dilation: 4 } }
layer { name: "e" type: "Eltwise" bottom: "p1" bottom: "c2" top: "e" }
layer { name: "a" type: "Pooling" bottom: "e" top: "a"
  pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "i" type: "Interp" bottom: "a" top: "i" interp_param { zoom_factor: 2 } }
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny" / "net.prototxt"
    path.parent.mkdir()
    path.write_text(NET)
    return path


@pytest.mark.parametrize("peer", PEERS)
def test_the_torch_peer_computes_the_same_net(model, peer):
    net = Net(model)
    random_weights(net)
    x = torch.randn(1, 3, 33, 41)
    ours, theirs = net(x), PEERS[peer](net)(x).float()
    assert (ours - theirs).norm() / ours.norm() < (2e-2 if "bf16" in peer else 1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "deeplab_v3/torchvision_mobilenet_v3_large",
        "deeplab_v3/resnet_v1_50_beta",
        "deeplab_v3plus/mobilenet_v2",
        "deeplab_v3plus/xception_41",
    ],
)
def test_the_torch_peer_of_the_newer_nets(name):
    net = Net(asset(f"prototxt/{name}/deploy.prototxt"), inputs={"data": (1, 3, 66, 49)})
    random_weights(net)
    x = torch.randn(1, 3, 66, 49)
    ours = net(x)
    for fold in (False, True):
        assert (ours - TorchNet(net, fold=fold)(x)).norm() / ours.norm() < 1e-4


def test_candidates_take_turns():
    calls = []
    seconds = measure.interleave({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert "".join(calls) == "ab" + "ababab"
    assert [len(times) for times in seconds.values()] == [3, 3]


def test_the_ratio_is_that_of_each_round():
    assert measure.median_ratio([1.0, 8.0, 3.0], [2.0, 2.0, 3.0]) == 1.0


def test_bench_net_leaves_json_and_a_picture(model, tmp_path):
    arguments = ["--sizes", "33x41", "--threads", "1", "--rounds", "1", "-o", str(tmp_path)]
    assert main(["bench", "net", "--model", str(model), *arguments]) == 0
    result = json.loads((tmp_path / "net_tiny.json").read_text())
    assert {row["candidate"] for row in result["results"]} == {
        "exact",
        "exact streamed",
        "fp32",
        "bf16",
        *PEERS,
    }
    assert all(row["median"] > 0 and row["memory"] > 1e6 for row in result["results"])
    assert (tmp_path / "net_tiny.png").stat().st_size > 1000


def test_bench_of_a_gpu_computes_what_it_says(model, tmp_path):
    result = net_gpu.run(str(model), [(33, 41)], [1, 2], 1, {}, "cpu")  # rehearsed where there is none
    rows = result["results"]
    assert [row["candidate"] for row in rows[:4]] == [
        "ours exact",
        "ours fp32",
        "torch fp32 NCHW",
        "torch fp32 NHWC",
    ]
    assert rows[0]["error"] == 0 and all(row["error"] < 3e-2 and row["median"] > 0 for row in rows)
    best = min(row["median"] for row in rows[2:4])
    assert rows[0]["ratio"] == best / rows[0]["median"]
    net_gpu_chart(result, tmp_path / "net.png")
    assert (tmp_path / "net.png").stat().st_size > 1000
    assert net_gpu_table(result).row_count == len(rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_asking_for_a_gpu_without_one_is_one_line(model, capsys):
    assert main(["bench", "net", "--model", str(model), "--device", "cuda"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_streaming_on_a_gpu_is_one_line(model, capsys):
    arguments = ["bench", "net", "--model", str(model), "--device", "cuda", "--weight-memory", "1M"]
    assert main(arguments) == 2
    assert "streamed on cpu, not on cuda" in capsys.readouterr().err


def test_a_wrong_size_is_one_line(capsys):
    assert main(["bench", "net", "--sizes", "big"]) == 2
    assert "HxW" in capsys.readouterr().err


def test_the_torch_peer_trains_the_same_net(model):
    net = Net(model)
    random_weights(net)
    peer, module, x = TorchNet(net), net.module(), torch.randn(1, 3, 33, 41)
    weights = [parameter.requires_grad_() for parameter in peer.parameters()]
    peer.forward(x).sum().backward()
    module(x).outputs["i"].sum().backward()
    learned = dict(module.named_parameters())
    for name, ours in (("c1.0", weights[0]), ("c2.0", weights[1]), ("c2.1", weights[2])):
        torch.testing.assert_close(learned[name].grad.view_as(ours), ours.grad, rtol=1e-4, atol=1e-3)


def test_bench_train(model, tmp_path, monkeypatch):
    monkeypatch.setattr("deeplab_caffe.bench.net.peak_memory", lambda *_: 2_000_000)  # a process each
    arguments = ["--sizes", "17", "--threads", "1", "--rounds", "1", "-o", str(tmp_path)]
    assert main(["bench", "train", "--model", str(model), *arguments]) == 0
    result = json.loads((tmp_path / "train_tiny.json").read_text())
    names = ["exact", "fp32", "bf16", "torch NCHW", "torch NHWC", "torch NHWC bf16"]
    assert [row["candidate"] for row in result["results"]] == names
    assert (tmp_path / "train_tiny.png").read_bytes().startswith(b"\x89PNG")
