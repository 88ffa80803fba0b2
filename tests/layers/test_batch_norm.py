"""The bits are tested with the reference nets."""

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter
from tests.layers.layer_text import layer as layer_text


def parameters(*tensors):
    return [Parameter(tuple(t.shape), lambda t=t: t) for t in tensors]


def layer(fields=""):
    return layer_text("BatchNorm", f"batch_norm_param {{ {fields} }}")


def test_batch_norm_stored(run_layer, rand):
    x, mean, variance = rand(2, 5, 6, 7), rand(5), rand(5).abs()
    run = run_layer(layer("eps: 1e-3"))
    assert run.layer.blob_shapes([tuple(x.shape)]) == [(5,), (5,), (1,)]
    run.layer.blobs = parameters(mean * 4, variance * 4, torch.tensor([4.0]))
    wanted = torch.nn.functional.batch_norm(x.double(), mean.double(), variance.double(), eps=1e-3)
    torch.testing.assert_close(run(x)[0].double(), wanted, rtol=1e-5, atol=1e-5)
    (fast,) = run.layer.forward_fast([x.to(memory_format=torch.channels_last)])
    torch.testing.assert_close(fast.contiguous().double(), wanted, rtol=1e-4, atol=1e-5)
    # A changed parameter is noticed; a divisor of 0 stands for a factor of 0.
    run.layer.blobs[2].data = torch.zeros(1)
    torch.testing.assert_close(run(x)[0], x / 1e-3**0.5)


def test_batch_norm_of_the_batch(run_layer, rand):
    x = rand(3, 5, 6, 7)
    wanted = torch.nn.functional.batch_norm(x.double(), None, None, training=True)
    for run in (
        run_layer(layer(), phase="train"),
        run_layer(layer("use_global_stats: false")),
    ):
        torch.testing.assert_close(run(x)[0].double(), wanted, rtol=1e-5, atol=1e-5)


def test_batch_norm_errors(run_layer, rand):
    with pytest.raises(DeepLabError, match="2 dimensions"):
        run_layer(layer())(rand(3))
