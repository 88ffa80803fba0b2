import pytest
import torch

from deeplab_caffe.commands import main


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_asking_for_a_gpu_without_one_is_one_line(net, capsys):
    assert main(["bench", "net", "--model", str(net), "--device", "cuda"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_streaming_on_a_gpu_is_one_line(net, capsys):
    arguments = ["bench", "net", "--model", str(net), "--device", "cuda", "--weight-memory", "1M"]
    assert main(arguments) == 2
    assert "streamed on cpu, not on cuda" in capsys.readouterr().err


def test_a_wrong_size_is_one_line(capsys):
    assert main(["bench", "net", "--sizes", "big"]) == 2
    assert "HxW" in capsys.readouterr().err
