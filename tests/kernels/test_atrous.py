"""The public convolution: the bits of ops.atrous_conv and its twin, gradients, torch.library, errors."""

import inspect

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.kernels import atrous_conv2d, atrous_ops
from tests.reference.convolution import atrous_conv as reference

# input, weights, and what is given by name
CASES = {
    "aspp": ((2, 4, 9, 8), (6, 4, 3, 3), {"rate": 2, "padding": 2}),
    "pairs": ((1, 3, 11, 9), (5, 3, 3, 2), {"rate": (3, 1), "padding": (4, 0), "stride": (2, 3)}),
    "groups": ((2, 6, 7, 7), (4, 3, 3, 3), {"rate": 2, "groups": 2, "stride": 2}),
    "depthwise": ((1, 5, 8, 9), (5, 1, 3, 3), {"rate": 3, "padding": "same", "groups": 5}),
    "even, same": ((1, 2, 6, 7), (3, 2, 4, 2), {"rate": (1, 3), "padding": "same"}),
    "valid": ((1, 2, 6, 7), (3, 2, 1, 1), {"padding": "valid"}),
    "long sums": ((1, 200, 3, 4), (2, 200, 3, 3), {"rate": 2, "padding": "same"}),
}
cases = pytest.mark.parametrize("case", CASES)


def window(x, weight, given):
    """Stride, pad, dilation, groups, size as the ops take them."""

    def two(value):
        return (value, value) if isinstance(value, int) else value

    rate, pad, size = two(given.get("rate", 1)), given.get("padding", 0), None
    if pad == "same":
        pad = tuple(r * (k - 1) // 2 for r, k in zip(rate, weight.shape[2:], strict=True))
        size = tuple(x.shape[2:])
    pad = 0 if pad == "valid" else pad
    return two(given.get("stride", 1)), two(pad), rate, given.get("groups", 1), size


@cases
def test_bits_of_the_op_and_of_the_twin(case, draw):
    shape, weights, given = CASES[case]
    x, weight, bias = draw(*shape), draw(*weights), draw(weights[0])
    *numbers, size = window(x, weight, given)
    epilogue = [ops.epilogue.Bias(bias)]
    y = atrous_conv2d(x, weight, bias, **given)
    assert y.equal(ops.atrous_conv(x, weight, *numbers, epilogue, size=size))
    assert y.equal(reference(x, weight, *numbers, epilogue, size))
    assert atrous_conv2d(x, weight, **given).equal(reference(x, weight, *numbers, size=size))
    assert y.equal(atrous_conv2d(x, weight, bias, **given, precision="fp32"))
    assert y.equal(atrous_conv2d(x, atrous_conv2d.pack(weight, groups=given.get("groups", 1)), bias, **given))


@pytest.mark.parametrize("case", ["aspp", "groups", "depthwise"])
def test_bits_on_a_gpu(case, draw, device):
    shape, weights, given = CASES[case]
    x, weight, bias = draw(*shape), draw(*weights), draw(weights[0])
    assert device(atrous_conv2d, x, weight, bias, **given).equal(atrous_conv2d(x, weight, bias, **given))
    packed = device(atrous_conv2d.pack, weight, groups=given.get("groups", 1)) if device.emulated else None
    if packed is not None:
        assert device(atrous_conv2d, x, packed, bias, **given).equal(atrous_conv2d(x, weight, bias, **given))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_tensor_cores(precision, draw, device):
    x, weight, bias = draw(1, 16, 9, 8), draw(24, 16, 3, 3), draw(24)
    exact = atrous_conv2d(x, weight, bias, rate=2, padding=2)
    y = device(atrous_conv2d, x, weight, bias, rate=2, padding=2, precision=precision)
    assert y.dtype == torch.float32 and y.is_contiguous(memory_format=torch.channels_last)
    bound = {"fp32": 3e-6, "tf32": 1e-3, "bf16": 1e-2, "fp16": 1e-3}[precision]
    assert 0 < (y - exact).norm() / exact.norm() < bound
    if precision == "bf16":
        half = device(atrous_conv2d, x.bfloat16(), weight, bias, rate=2, padding=2, precision=precision)
        assert half.dtype == torch.bfloat16 and half.equal(y.bfloat16())
        with device.kernels():
            packed = atrous_conv2d.pack(device.to(weight), precision=precision)
        assert device(atrous_conv2d, x, packed, bias, rate=2, padding=2).equal(y)


@cases
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_gradients_are_those_of_torch(case, draw):
    shape, weights, given = CASES[case]
    inputs = draw(*shape, grad=True), draw(*weights, grad=True), draw(weights[0], grad=True)
    y = atrous_conv2d(*inputs, **given)
    dy = draw(*y.shape)
    ours = torch.autograd.grad(y, inputs, dy)
    doubles = [t.detach().double().requires_grad_() for t in inputs]
    names = {"rate": "dilation"}
    theirs = functional.conv2d(*doubles, **{names.get(name, name): value for name, value in given.items()})
    for a, b in zip(ours, torch.autograd.grad(theirs, doubles, dy.double()), strict=True):
        assert (a - b).norm() < 1e-6 * b.norm()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Input #")  # gradcheck would rather have float64
@pytest.mark.parametrize("case", ["aspp", "pairs", "groups", "even, same"])
def test_gradcheck(case, draw):
    """The op is float32, and linear in each tensor: differences over a large step have no error but rounding.

    So a step of 1/4, a power of two, in place of gradcheck's 1e-6, which float32 sums would drown.
    """
    shape, (_, *window), given = CASES[case]
    out = 2 * given.get("groups", 1)  # few: the checks take a pass for each value
    x, weight, bias = (
        draw(1, shape[1], 5, 6, grad=True),
        draw(out, *window, grad=True),
        draw(out, grad=True),
    )
    if case == "pairs":
        x = draw(1, shape[1], 7, 6, grad=True)

    def run(x, weight, bias):
        return atrous_conv2d(x, weight, bias, **given)

    step = {"eps": 0.25, "atol": 1e-4, "rtol": 1e-4}
    assert gradcheck(run, (x, weight, bias), **step)
    assert gradgradcheck(run, (x, weight, bias), draw(*run(x, weight, bias).shape, grad=True), **step)


def test_the_gradient_has_the_original_order_of_sums(draw):
    x, weight = draw(2, 4, 9, 8, grad=True), draw(6, 4, 3, 3, grad=True)
    y = atrous_conv2d(x, weight, rate=2, padding=2)
    dy = draw(*y.shape)
    y.backward(dy)
    geometry = (1, 1), (2, 2), (2, 2)
    with torch.no_grad():
        assert x.grad.equal(ops.conv_data_gradient(dy, weight, (9, 8), *geometry))
        assert weight.grad.equal(ops.conv_weight_gradient(x, dy, (3, 3), *geometry))


@pytest.mark.slow
def test_opcheck(draw):
    x, weight, bias = draw(2, 4, 7, 6, grad=True), draw(6, 2, 3, 3, grad=True), draw(6, grad=True)
    numbers = [1, 1], [2, 2], [2, 2], 2
    dy = draw(2, 6, 7, 6, grad=True)
    torch.library.opcheck(atrous_ops.conv, (x, weight, bias, *numbers, [], "exact"))
    torch.library.opcheck(atrous_ops.conv, (x, weight, None, *numbers, [7, 6], "exact"))
    torch.library.opcheck(atrous_ops.data_gradient, (dy, weight, *numbers, [7, 6], "exact"))
    torch.library.opcheck(atrous_ops.weight_gradient, (x, dy, *numbers, [3, 3], "exact"))
    torch.library.opcheck(atrous_ops.channel_sums, (dy,))
    packed = atrous_conv2d.pack(weight.detach(), groups=2)
    given = *numbers[:3], list(packed.shape), 2, [], "exact", False
    torch.library.opcheck(atrous_ops.conv_packed, (x.detach(), packed.values, bias.detach(), *given))


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_without_a_break(dynamic, draw):
    weight, bias = draw(6, 2, 3, 3, grad=True), draw(6, grad=True)

    def run(x, weight, bias):
        return torch.relu(atrous_conv2d(x + 1, weight, bias, rate=2, padding=(2, 3), groups=2))

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for size in (7, 9):
        x = draw(2, 4, size, 8, grad=True)
        y, expected = compiled(x, weight, bias), run(x, weight, bias)
        assert y.equal(expected)
        dy = draw(*y.shape)
        gradients = [torch.autograd.grad(z, (x, weight, bias), dy) for z in (y, expected)]
        assert all(a.equal(b) for a, b in zip(*gradients, strict=True))


@pytest.mark.slow
def test_packed_weights_compile(draw):
    x, packed = draw(1, 4, 7, 6), atrous_conv2d.pack(draw(6, 4, 3, 3))

    def run(x):
        return atrous_conv2d(x, packed, rate=2, padding="same")

    assert torch.compile(run, fullgraph=True, backend="aot_eager")(x).equal(run(x))


def test_meta_tensors(draw):
    for shape, weights, given in CASES.values():
        x, weight = draw(*shape), draw(*weights)
        y = atrous_conv2d(x.to("meta"), weight.to("meta"), **given)
        assert y.is_meta and y.shape == atrous_conv2d(x, weight, **given).shape


def test_numpy_integers(draw):
    x, weight = draw(1, 2, 7, 6), draw(3, 2, 3, 3)
    y = atrous_conv2d(x, weight, rate=np.int64(2), padding=(np.int32(2), 2))
    assert y.equal(atrous_conv2d(x, weight, rate=2, padding=2))


def test_empty_batch(draw):
    assert atrous_conv2d(draw(0, 3, 5, 5), draw(2, 3, 3, 3), padding="same").shape == (0, 2, 5, 5)


needs_vmap = pytest.mark.skipif(not hasattr(atrous_ops.conv, "register_vmap"), reason="needs torch 2.5")


@needs_vmap
@pytest.mark.parametrize("dims", [(1, None, None), (0, 0, 0), (None, 1, None), (0, None, 0)])
def test_vmap(dims, draw):
    tensors = draw(2, 4, 7, 6), draw(6, 2, 3, 3), draw(6)
    given = {"rate": 2, "padding": 2, "groups": 2}
    mapped = [
        t if dim is None else torch.stack([t, 2 - t, t * t], dim)
        for t, dim in zip(tensors, dims, strict=True)
    ]
    results = torch.vmap(lambda *t: atrous_conv2d(*t, **given), dims)(*mapped)
    for number, y in enumerate(results):
        one = [t if dim is None else t.select(dim, number) for t, dim in zip(mapped, dims, strict=True)]
        assert y.equal(atrous_conv2d(*one, **given))


@needs_vmap
def test_many_gradients_at_once(draw):
    inputs = draw(1, 4, 5, 6, grad=True), draw(6, 2, 3, 3, grad=True), draw(6, grad=True)
    y = atrous_conv2d(*inputs, rate=2, padding=2, groups=2)
    dy = draw(3, *y.shape)
    batched = torch.autograd.grad(y, inputs, dy, is_grads_batched=True, retain_graph=True)
    for number in range(3):
        one = torch.autograd.grad(y, inputs, dy[number], retain_graph=True)
        for many, single in zip(batched, one, strict=True):
            assert torch.allclose(many[number], single, rtol=1e-5, atol=1e-5)


def test_functorch_grad_is_refused(draw):
    weight = draw(2, 3, 3, 3)
    with pytest.raises(RuntimeError):
        torch.func.grad(lambda x: atrous_conv2d(x, weight).sum())(draw(1, 3, 5, 5))


def test_signature():
    names = ["x", "weight", "bias", "rate", "padding", "stride", "groups", "precision"]
    assert list(inspect.signature(atrous_conv2d).parameters) == names


X, W = torch.ones(1, 4, 7, 6), torch.ones(6, 4, 3, 3)
WRONG = {
    "torch.from_numpy": lambda: atrous_conv2d(X.numpy(), W),
    "bias: list given": lambda: atrous_conv2d(X, W, [1.0] * 6),
    r"x: \(4, 7, 6\) given": lambda: atrous_conv2d(X[0], W),
    r"weight: \(6, 4\) given": lambda: atrous_conv2d(X, W[:, :, 0, 0]),
    "x is float64, float32 wanted": lambda: atrous_conv2d(X.double(), W),
    "weight is bfloat16": lambda: atrous_conv2d(X, W.bfloat16()),
    "bias is int64": lambda: atrous_conv2d(X, W, torch.ones(6, dtype=torch.int64)),
    "bias of 5, 6 wanted": lambda: atrous_conv2d(X, W, torch.ones(5)),
    "bias is on meta": lambda: atrous_conv2d(X, W, torch.ones(6, device="meta")),
    "do not fit 4 channels": lambda: atrous_conv2d(X, W[:, :3]),
    "3 groups": lambda: atrous_conv2d(X, W, groups=3),
    "groups 'a'": lambda: atrous_conv2d(X, W, groups="a"),
    "pack: groups 0": lambda: atrous_conv2d.pack(W, groups=0),
    "sparse_coo given": lambda: atrous_conv2d(X.to_sparse(), W),
    "0 output channels": lambda: atrous_conv2d(X, W[:0]),
    "input of 0x7x6": lambda: atrous_conv2d(X[:, :0], W[:, :0]),
    "input of 4x7x0": lambda: atrous_conv2d(X[..., :0], W, padding=4),
    "rate 1000000000000": lambda: atrous_conv2d(X, W, rate=10**12),
    "rate 0": lambda: atrous_conv2d(X, W, rate=0),
    "rate 1.5": lambda: atrous_conv2d(X, W, rate=1.5),
    r"stride \(1, 2, 3\)": lambda: atrous_conv2d(X, W, stride=(1, 2, 3)),
    "padding -1": lambda: atrous_conv2d(X, W, padding=-1),
    "padding 'full'": lambda: atrous_conv2d(X, W, padding="full"),
    "stride 1 wanted": lambda: atrous_conv2d(X, W, padding="same", stride=2),
    "larger than the padded 7x6": lambda: atrous_conv2d(X, W, rate=4),
    "precision 'bf17'": lambda: atrous_conv2d(X, W, precision="bf17"),
    "tensor cores": lambda: atrous_conv2d(X, W, precision="bf16"),
    "pack: precision fp16|tensor cores": lambda: atrous_conv2d.pack(W, precision="fp16"),
    "pack: weight: list": lambda: atrous_conv2d.pack([1]),
    "packed for 1 groups": lambda: atrous_conv2d(X, atrous_conv2d.pack(W), groups=2),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_arguments(message):
    with pytest.raises(DeepLabError, match=message) as error:
        WRONG[message]()
    assert "\n" not in str(error.value)


def test_a_gradient_through_packed_weights_is_refused():
    wanted, packed = X.clone().requires_grad_(), atrous_conv2d.pack(W)
    with pytest.raises(DeepLabError, match="wants a gradient"):
        atrous_conv2d(wanted, packed)
    with pytest.raises(DeepLabError, match="wants a gradient"):
        atrous_conv2d(X, packed, torch.ones(6, requires_grad=True))
    with pytest.raises(DeepLabError, match="pack: weight wants a gradient"):
        atrous_conv2d.pack(W.clone().requires_grad_())
    with torch.no_grad():
        assert not atrous_conv2d(wanted, packed).requires_grad
    direct = atrous_ops.conv_packed(
        wanted, packed.values, None, [1, 1], [0, 0], [1, 1], list(W.shape), 1, [], "exact", False
    )
    with pytest.raises(RuntimeError, match="no autograd formula"):
        direct.sum().backward()
