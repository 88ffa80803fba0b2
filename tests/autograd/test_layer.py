"""Every layer's gradients: its formula against finite differences, its exact forward against the formula."""

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.layers import Context, Layer, create
from deeplab_caffe.layers.parameters.parameter import Parameter

pytestmark = pytest.mark.slow

LABELS = [[0.0, 2, 1, 9], [1, 1, 9, 0]]
IMAGE = (2, 3, 5, 6)

# type, fields, shapes of the bottoms that have gradients, values of the others
CASES = {
    "conv": ("Convolution", "convolution_param { num_output: 4 kernel_size: 3 pad: 2 dilation: 2 }", [IMAGE]),
    "conv strided": (
        "Convolution",
        "convolution_param { num_output: 2 kernel_h: 3 kernel_w: 2 stride: 2 pad: 1 bias_term: false }",
        [IMAGE],
    ),
    "conv groups": ("Convolution", "convolution_param { num_output: 6 kernel_size: 3 group: 3 }", [IMAGE]),
    "conv same": (
        "Convolution",
        "convolution_param { num_output: 2 kernel_size: 2 stride: 2 same_pad: true }",
        [IMAGE],
    ),
    "deconv": (
        "Deconvolution",
        "convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 }",
        [IMAGE],
    ),
    "im2col": ("Im2col", "convolution_param { kernel_size: 3 stride: 2 pad: 1 }", [IMAGE]),
    "inner product": ("InnerProduct", "inner_product_param { num_output: 4 }", [IMAGE]),
    "transposed": ("InnerProduct", "inner_product_param { num_output: 4 transpose: true axis: 2 }", [IMAGE]),
    "max": ("Pooling", "pooling_param { kernel_size: 3 stride: 2 pad: 1 }", [IMAGE]),
    "max 2": ("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", [IMAGE]),
    "max floor": ("Pooling", "pooling_param { kernel_size: 3 stride: 2 round_mode: FLOOR }", [IMAGE]),
    "average": ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }", [IMAGE]),
    "average 3": ("Pooling", "pooling_param { pool: AVE kernel_size: 3 pad: 1 }", [IMAGE]),
    "average wide": ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 3 pad: 2 }", [IMAGE]),
    "global": ("Pooling", "pooling_param { pool: AVE global_pooling: true }", [IMAGE]),
    "spp": ("SPP", "spp_param { pyramid_height: 2 }", [IMAGE]),
    "relu": ("ReLU", "", [IMAGE]),
    "leaky": ("ReLU", "relu_param { negative_slope: 0.1 }", [IMAGE]),
    "prelu": ("PReLU", "prelu_param { filler { type: 'uniform' min: 0.1 max: 1 } }", [IMAGE]),
    "elu": ("ELU", "elu_param { alpha: 0.5 }", [IMAGE]),
    "sigmoid": ("Sigmoid", "", [IMAGE]),
    "tanh": ("TanH", "", [IMAGE]),
    "bnll": ("BNLL", "", [IMAGE]),
    "absolute": ("AbsVal", "", [IMAGE]),
    "power": ("Power", "power_param { power: 3 scale: 0.5 shift: 4 }", [IMAGE]),
    "linear": ("Power", "power_param { scale: 0.5 shift: 4 }", [IMAGE]),
    "exp": ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", [IMAGE]),
    "log": ("Log", "log_param { base: 2 scale: 0.1 shift: 4 }", [IMAGE]),
    "clip": ("Clip", "clip_param { min: -0.5 max: 0.5 }", [IMAGE]),
    "gate": ("HardSigmoid", "", [IMAGE]),
    "swish": ("HardSwish", "", [IMAGE]),
    "interp": ("Interp", "interp_param { height: 9 width: 4 pad_beg: -1 }", [IMAGE]),
    "interp zoom": ("Interp", "interp_param { zoom_factor: 3 }", [IMAGE]),
    "interp half": ("Interp", "interp_param { height: 9 width: 12 align_corners: false }", [IMAGE]),
    "pad": ("Padding", "padding_param { pad_beg: 1 pad_end: 2 }", [IMAGE]),
    "unpad": ("Padding", "padding_param { pad_beg: -1 pad_end: -2 }", [IMAGE]),
    "crop": ("Crop", "crop_param { offset: 1 }", [IMAGE], torch.zeros(2, 3, 3, 4)),
    "sum": ("Eltwise", "eltwise_param { coeff: 2 coeff: -0.5 coeff: 1 }", [IMAGE] * 3),
    "product": ("Eltwise", "eltwise_param { operation: PROD }", [IMAGE] * 3),
    "largest": ("Eltwise", "eltwise_param { operation: MAX }", [IMAGE] * 3),
    "concat": ("Concat", "", [IMAGE, (2, 1, 5, 6)]),
    "slice": ("Slice", "slice_param { slice_point: 1 } top: 'c'", [IMAGE]),
    "softmax": ("Softmax", "", [IMAGE]),
    "batch norm": ("BatchNorm", "", [IMAGE]),
    "batch statistics": ("BatchNorm", "batch_norm_param { use_global_stats: false }", [IMAGE]),
    "scale": ("Scale", "scale_param { bias_term: true }", [IMAGE]),
    "scale by": ("Scale", "scale_param { axis: 0 }", [IMAGE, (2, 3)]),
    "bias": ("Bias", "", [IMAGE]),
    "lrn": ("LRN", "lrn_param { local_size: 3 alpha: 0.5 k: 2 }", [IMAGE]),
    "lrn within": (
        "LRN",
        "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }",
        [IMAGE],
    ),
    "mvn": ("MVN", "", [IMAGE]),
    "embed": ("Embed", "embed_param { num_output: 3 input_dim: 4 }", [], torch.tensor([1.0, 3, 1])),
    "reindex": ("BatchReindex", "", [IMAGE], torch.tensor([1.0, 0, 1])),
    "gains": (
        "GainChannel",
        "gain_channel_param { num_output_nz: 1 norm_mean: false gain_filler { value: 1 } }",
        [IMAGE],
    ),
    "stochastic": ("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }", [IMAGE]),
    "bn of segnet": ("BN", "bn_param { bn_mode: LEARN }", [IMAGE]),
    "bn of segnet, inference": ("BN", "bn_param { bn_mode: INFERENCE }", [IMAGE]),
    "beta": ("Swish", "swish_param { beta: 1.5 }", [IMAGE]),
    "permute": ("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }", [IMAGE]),
    "normalize": ("Normalize", "norm_param { across_spatial: false channel_shared: false }", [IMAGE]),
    "upsample": ("Upsample", "", [(1, 2, 2, 3)], torch.arange(12.0).flip(0).view(1, 2, 2, 3)),
    "unpooling": ("Unpooling", "unpooling_param { unpool: AVE kernel_size: 3 stride: 2 }", [IMAGE]),
    "smooth": ("SmoothL1Loss", "smooth_l1_loss_param { sigma: 2 }", [(3, 4), (3, 4)]),
    "parameter": ("Parameter", "parameter_param { shape { dim: 2 dim: 3 } }", []),
    "tile": ("Tile", "tile_param { axis: 2 tiles: 3 }", [IMAGE]),
    "mean": ("Reduction", "reduction_param { operation: MEAN axis: 2 coeff: 3 }", [IMAGE]),
    "absolute sum": ("Reduction", "reduction_param { operation: ASUM }", [IMAGE]),
    "squares": ("Reduction", "reduction_param { operation: SUMSQ axis: 1 }", [IMAGE]),
    "spatial product": ("SpatialProduct", "", [IMAGE, (2, 1, 5, 6)]),
    "domain transform": (
        "DomainTransform",
        "domain_transform_param { num_iter: 2 spatial_sigma: 3 range_sigma: 2 }",
        [IMAGE, (2, 1, 5, 6)],
        torch.tensor([[5.0, 6], [4, 3]]).view(2, 1, 1, 2),
    ),
    "softmax loss": (
        "SoftmaxWithLoss",
        "loss_param { ignore_label: 9 }",
        [(2, 3, 2, 2)],
        torch.tensor(LABELS).view(2, 1, 2, 2),
    ),
    "softmax loss by image": (
        "SoftmaxWithLoss",
        "loss_param { ignore_label: 9 normalization: BATCH_SIZE }",
        [(2, 3, 2, 2)],
        torch.tensor(LABELS).view(2, 1, 2, 2),
    ),
    "euclidean": ("EuclideanLoss", "", [IMAGE, IMAGE]),
    "hinge": ("HingeLoss", "", [(3, 4)], torch.tensor([1.0, 0, 3])),
    "hinge 2": ("HingeLoss", "hinge_loss_param { norm: L2 }", [(3, 4)], torch.tensor([1.0, 0, 3])),
    "cross entropy": ("SigmoidCrossEntropyLoss", "", [(3, 4)], torch.tensor([[0.0, 1, 1, 0]] * 3)),
    "contrastive": ("ContrastiveLoss", "", [(3, 4), (3, 4)], torch.tensor([1.0, 0, 0])),
    "multinomial": ("MultinomialLogisticLoss", "", [(3, 4)], torch.tensor([1.0, 0, 3])),
    "infogain": ("InfogainLoss", "", [(2, 3)], torch.tensor([1.0, 0]), torch.rand(1, 1, 3, 3)),
    "pixel bias": (
        "BiasChannel",
        "bias_channel_param { label_type: PIXEL ignore_label: 9 }",
        [(2, 3, 2, 2)],
        torch.tensor(LABELS).view(2, 1, 2, 2),
    ),
    "image bias": ("BiasChannel", "", [IMAGE], torch.tensor([[0.0, 2], [1, -1]]).view(2, 2, 1, 1)),
    "adaptive bias": (
        "AdaptiveBiasChannel",
        "adaptive_bias_channel_param { num_iter: 3 bg_portion: 0.4 }",
        [IMAGE],
        torch.tensor([[0.0, 2], [1, -1]]).view(2, 2, 1, 1),
    ),
}


def make_layer(kind, fields, bottoms, **context):
    ends = "".join(f" bottom: 'b{i}'" for i in range(len(bottoms)))
    text = f"layer {{ name: 'tested' type: '{kind}' {ends} top: 't' {fields} }}"
    definition = read_net("net.prototxt", text=text, phase="test")
    layer = create(definition.layers[-1], Context(**context))
    shapes = [tuple(bottom.shape) for bottom in bottoms]
    layer.shape(shapes)
    generator = torch.Generator().manual_seed(1)
    for shape in layer.blob_shapes(shapes):
        values = torch.rand(shape, generator=generator) + 0.1
        layer.blobs.append(Parameter(shape, lambda values=values: values))
    return layer


@pytest.mark.parametrize("case", CASES)
def test_gradients(case):
    kind, fields, shapes, *others = CASES[case]
    generator = torch.Generator().manual_seed(2)
    positive = kind in ("MultinomialLogisticLoss", "InfogainLoss") or "STOCHASTIC" in fields
    draw = torch.rand if positive else torch.randn
    inputs = [draw(shape, generator=generator) for shape in shapes]
    layer = make_layer(kind, fields, inputs + others)
    blobs = [blob.tensor for blob in layer.blobs]
    tensors = [x.detach().double().requires_grad_() for x in (*inputs, *blobs)]

    def formula(*tensors):
        bottoms = [*tensors[: len(inputs)], *(other.double() for other in others)]
        return tuple(layer.formula(bottoms, list(tensors[len(inputs) :])))

    assert torch.autograd.gradcheck(formula, tensors)
    wanted = formula(*tensors)
    weights = [torch.randn(top.shape, generator=generator).double() for top in wanted]
    inputs = [x.requires_grad_() for x in inputs]
    tops = Layer.forward_train(layer, [*inputs, *others])
    torch.testing.assert_close(tops, [top.float() for top in wanted], rtol=1e-5, atol=1e-5)
    found = torch.autograd.grad(
        tops, [*inputs, *blobs], [weight.float() for weight in weights], allow_unused=True
    )
    gradients = torch.autograd.grad(wanted, tensors, weights, allow_unused=True)
    torch.testing.assert_close(
        found, tuple(g if g is None else g.float() for g in gradients), rtol=2e-4, atol=2e-5
    )


def test_no_gradient_passes_through_argmax():
    x = torch.randn(1, 3, 2, 2, requires_grad=True)
    layer = make_layer("ArgMax", "", [x])
    (top,) = Layer.forward_train(layer, [x])
    with pytest.raises(DeepLabError, match="layer 'tested' .ArgMax.: bottom: the layer has no gradient"):
        top.sum().backward()


def test_the_first_maximum_gets_the_gradient():
    x = torch.tensor([[[[1.0, 3, 3], [3, 0, 0], [2, 2, 2]]]], requires_grad=True)
    layer = make_layer("Pooling", "pooling_param { kernel_size: 2 }", [x])
    Layer.forward_train(layer, [x])[0].sum().backward()
    assert x.grad.tolist() == [[[[0, 2, 0], [1, 0, 0], [0, 1, 0]]]]
