import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from tests import reference
from tests.reference.eltwise import rounded_to_odd
from tests.values import same_bits

SHAPE = (2, 3, 81, 83)  # enough for two threads, and no multiple of a vector


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize(
    "operation, coefficients", [("sum", False), ("sum", True), ("max", False), ("prod", False)]
)
def test_the_op_agrees_with_its_reference(operation, coefficients, count, threads):
    generator = torch.Generator().manual_seed(count)
    bottoms = [torch.randn(SHAPE, generator=generator) for _ in range(count)]
    for bottom in bottoms[:2]:
        bottom.view(-1)[:8] = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 1e-40, 3e38, -1e-45, 1.0])
    bottoms[1].view(-1)[8:12] = bottoms[0].view(-1)[8:12]
    factors = torch.randn(count, generator=generator).tolist() if coefficients else [1.0] * count
    wanted = reference.eltwise(operation, bottoms, factors)
    assert same_bits(ops.eltwise(operation, bottoms, factors, threads=threads), wanted)
    ops.eltwise(operation, bottoms, factors, out=bottoms[0], threads=threads)
    assert same_bits(bottoms[0], wanted)


def test_ties_and_not_a_number_in_max():
    nan = torch.nan
    a, b = torch.tensor([0.0, -0.0, nan, 1.0]), torch.tensor([-0.0, 0.0, 1.0, nan])
    first_two = ops.eltwise("max", [a, b], [1, 1])
    assert same_bits(first_two, torch.tensor([-0.0, 0.0, 1.0, nan]))
    assert same_bits(ops.eltwise("max", [a, b, -b], [1, 1, 1])[:2], torch.tensor([-0.0, 0.0]))


def test_fma_rounds_once():
    # 1 + 2^-12 squared is 1 + 2^-11 + 2^-24: a tie that the tiny addend decides.
    a = torch.tensor([1 + 2.0**-12])
    assert reference.fma(a, a, torch.tensor([2.0**-60])).item() == 1 + 2.0**-11 + 2.0**-23
    assert reference.fma(a, a, torch.tensor([-(2.0**-60)])).item() == 1 + 2.0**-11
    assert (
        reference.fma(a.double(), a.double(), torch.zeros(1, dtype=torch.double)).item()
        == (1 + 2.0**-12) ** 2
    )


@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_the_layer(run_in_net, rand, precision):
    a, b, c = rand(2, 3, 4), rand(3, 2, 4).view(2, 3, 4), rand(4, 3, 2).view(2, 3, 4)
    for rest, wanted in (
        ("", a + b + c),
        ("eltwise_param { operation: SUM coeff: 1 coeff: -1 coeff: 0.5 }", a - b + 0.5 * c),
        ("eltwise_param { operation: MAX }", torch.maximum(torch.maximum(a, b), c)),
        ("eltwise_param { operation: PROD }", a * b * c),
    ):
        (top,) = run_in_net("Eltwise", a, b, c, rest=rest, precision=precision)
        torch.testing.assert_close(top, wanted)


@pytest.mark.parametrize(
    "rest, message",
    [
        ("eltwise_param { coeff: 1 }", "coeff: 1 given for 2 bottoms"),
        ("eltwise_param { operation: MAX coeff: 1 coeff: 2 }", "only SUM has coefficients, not MAX"),
    ],
)
def test_wrong_coefficients(run_in_net, rand, rest, message):
    with pytest.raises(DeepLabError, match=message):
        run_in_net("Eltwise", rand(2), rand(2), rest=rest)


def test_wrong_shapes(run_in_net, rand):
    with pytest.raises(DeepLabError, match=r"\(3,\) and \(2,\) differ"):
        run_in_net("Eltwise", rand(2), rand(3))
    with pytest.raises(DeepLabError, match="1 tensors and 1 coefficients"):
        ops.eltwise("sum", [rand(2)], [1.0])


def test_fma_sees_each_sum_that_rounds_twice():
    odd = torch.arange(1, 801, 2)
    halfway = 1 + odd * 2.0**-12  # products of 25 bits
    below_normal = torch.full((400,), 2.0**-75)
    a = torch.cat([halfway, below_normal * (1 + 2.0**-23)])
    b = torch.cat([halfway.flip(0), below_normal * (1 - 2.0**-23)])
    c = torch.cat([2.0**-60 * (2 - odd % 4), (2**19 + odd) * 2.0**-149])
    product, addend = a.double() * b.double(), c.double()
    wanted = rounded_to_odd(product + addend, product, addend).float()
    assert ((product + addend).float() != wanted).view(2, -1).sum(1).min() > 50
    one_by_one = [reference.fma(*values) for values in zip(a, b, c, strict=True)]
    assert same_bits(torch.stack(one_by_one), wanted)
