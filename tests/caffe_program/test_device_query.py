import pytest
import torch


def test_without_a_gpu(program, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ran = program("caffe", "device_query", "--gpu=0")
    assert ran.code == 134 and "finds no GPU here" in ran.messages("F")[0]
    ran = program("caffe", "device_query")
    assert ran.code == 134 and ran.messages("F") == ["--gpu: missing, the numbers of GPUs wanted, or all"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu(program):
    ran = program("caffe", "device_query", "--gpu=all")
    assert ran.code == 0 and any(text.startswith("Total global memory:") for text in ran.messages())
