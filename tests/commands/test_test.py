import pytest
import torch

from deeplab_caffe.commands import main
from deeplab_caffe.engine.net import Net
from tests.training import write_training


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_training(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return main(["train", "--solver", "solver.prototxt", "--threads", "1", *map(str, arguments)])


def test_test(folder, succeeds, fails):
    assert run() == 0
    options = ("--model", "net.prototxt", "--weights", "out/tiny_iter_8.caffemodel", "--threads", 1)
    once, more = (succeeds("test", *options, "--iterations", n, "--json") for n in (1, 4))
    assert once["outputs"].keys() == {"loss", "accuracy"} and len(once["outputs"]["accuracy"]) == 3
    net = Net("net.prototxt", "out/tiny_iter_8.caffemodel", threads=1)
    runs = [net.forward() for _ in range(4)]
    assert once["outputs"]["loss"] == [runs[0]["loss"].item()]
    for name in ("loss", "accuracy"):
        mean = torch.stack([run[name].flatten() for run in runs]).mean(0)
        assert more["outputs"][name] == pytest.approx(mean.tolist(), rel=1e-6)
    assert "accuracy" in succeeds("test", *options, "--iterations", 2)
    assert "no weights given (--weights) for conv, score" in fails("test", "--model", "net.prototxt")


def test_test_of_a_net_that_does_not_feed_itself(net, fails):
    assert "input data: a net to test feeds itself" in fails("test", "--model", net)
