"""The benchmarks compute what they say; how long it takes is not tested."""

import json

import pytest

from deeplab_caffe import ops
from deeplab_caffe.bench import net
from deeplab_caffe.commands import main

pytestmark = pytest.mark.slow


def test_bench_net_leaves_json_and_a_picture(model, tmp_path, monkeypatch):
    measured = net.peak_memory

    def memory(module, arguments):
        """A process each takes seconds: it is in place of those of the others."""
        return (
            measured(module, arguments) if arguments["name"] in ("exact", *list(net.PEERS)[:1]) else 2_000_000
        )

    monkeypatch.setattr(net, "peak_memory", memory)
    arguments = ["--sizes", "33x41", "--threads", "1", "--rounds", "1", "-o", str(tmp_path)]
    assert main(["bench", "net", "--model", str(model), *arguments]) == 0
    result = json.loads((tmp_path / "net_tiny.json").read_text())
    assert {row["candidate"] for row in result["results"]} == {
        "exact",
        "exact streamed",
        "fp32",
        "bf16",
        *(name for name, kernels in net.OWN_BF16.items() if ops.has_bf16_kernels(kernels)),
        *net.PEERS,
    }
    assert all(row["median"] > 0 and row["memory"] > 1e6 for row in result["results"])
    assert (tmp_path / "net_tiny.png").stat().st_size > 1000


def test_bench_train(model, tmp_path, monkeypatch):
    monkeypatch.setattr(net, "peak_memory", lambda *_: 2_000_000)  # a process each
    arguments = ["--sizes", "17", "--threads", "1", "--rounds", "1", "-o", str(tmp_path)]
    assert main(["bench", "train", "--model", str(model), *arguments]) == 0
    result = json.loads((tmp_path / "train_tiny.json").read_text())
    names = ["exact", "fp32", "bf16", "torch NCHW", "torch NHWC", "torch NHWC bf16"]
    assert [row["candidate"] for row in result["results"]] == names
    assert (tmp_path / "train_tiny.png").read_bytes().startswith(b"\x89PNG")


def test_own_kernels_in_bf16_beside_torchs(model, tmp_path, monkeypatch):
    monkeypatch.setattr(net, "peak_memory", lambda *_: 2_000_000)
    monkeypatch.setattr(net, "OWN_BF16", {"bf16 amx": "amx_plain", "bf16 avx512": "none"})
    monkeypatch.setattr(ops, "has_bf16_kernels", lambda name: name == "amx_plain")
    arguments = ["--sizes", "17", "--threads", "1", "--rounds", "1", "-o", str(tmp_path)]
    assert main(["bench", "net", "--model", str(model), *arguments]) == 0
    result = json.loads((tmp_path / "net_tiny.json").read_text())
    names = [row["candidate"] for row in result["results"]]
    assert names[3:5] == ["bf16", "bf16 amx"] and "bf16 avx512" not in names
