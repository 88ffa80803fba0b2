import pytest
import torch

from deeplab_caffe.caffe_program.flags import parse
from deeplab_caffe.caffe_program.glog import Log, flags
from deeplab_caffe.caffe_program.gpus import choose, gpu_numbers
from deeplab_caffe.errors import DeepLabError


def test_gpu_numbers(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [gpu_numbers(text) for text in ("", "-1", "2", "0,2", "all")] == [[], [], [2], [0, 2], [0, 1, 2]]
    with pytest.raises(DeepLabError, match="--gpu=x: numbers of GPUs wanted"):
        gpu_numbers("x")


@pytest.mark.parametrize(("text", "warns"), [("", False), ("-1", False), ("0", True), ("all", True)])
def test_the_cpu_takes_over(monkeypatch, capsys, text, warns):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    log = Log("prog", parse(flags(), ["--logtostderr"])[0])
    assert choose(text, log) == ["cpu"]
    err = capsys.readouterr().err
    assert err.endswith("Use CPU.\n")
    assert (f"--gpu={text}: going on on the CPU: " in err) == warns and (err[0] == "W") == warns
