import torch

from deeplab_caffe.layers.parameters.parameter import Parameter
from deeplab_caffe.layers.parts.canonical import linear
from tests.layers.layer_text import layer


def test_the_bits_of_inner_product(run_layer, rand):
    weights, bias, x = rand(6, 400), rand(6), rand(5, 400)
    run = run_layer(layer("InnerProduct", "inner_product_param { num_output: 6 }"))
    made = [Parameter(v.shape, lambda v=v: v.clone()) for v in (weights, bias)]
    run.layer.blobs = [Parameter(v.shape, lambda v=v: v.clone()) for v in (weights, bias)]
    assert torch.equal(linear(x, *made), run(x)[0])
    assert torch.equal(made[0].values(), weights)
    torch.testing.assert_close(linear(x, made[0]), x @ weights.t(), rtol=1e-4, atol=1e-4)
