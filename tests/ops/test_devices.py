import gc
import weakref

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.ops.devices import keep_for_graphs, torch_precision, usable_device


def test_the_cpu():
    assert usable_device("cpu") == usable_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "meta", "cuda:x", ""])
def test_other_names(name):
    with pytest.raises(DeepLabError, match="cpu, cuda or cuda:NUMBER wanted"):
        usable_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu():
    with pytest.raises(DeepLabError, match="device: cuda:1 given, but torch .* finds no GPU"):
        usable_device("cuda:1")


def test_tf32_only_where_asked_for():
    before = torch.backends.cudnn.allow_tf32
    for precision in ("exact", "fp32", "tf32"):
        with torch_precision(precision):
            assert torch.backends.cudnn.allow_tf32 == (precision == "tf32")
            assert torch.backends.cudnn.deterministic
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.parametrize("captures", [True, False])
def test_what_a_graph_knows_is_kept(captures, monkeypatch):
    class Owner:
        pass

    owner = Owner()
    seen = weakref.ref(owner)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: captures)
    keep_for_graphs(owner, torch.device("cuda"))
    del owner
    gc.collect()
    assert (seen() is not None) == captures
