import os
import subprocess
import sys

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from tests import reference
from tests.values import same_bits

SHAPE = (2, 3, 81, 83)  # enough for two threads, and no multiple of a vector


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [2, 4])
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


@pytest.mark.slow
@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
def test_every_instruction_set_gives_the_same_bits(isa, tmp_path):
    """A process of its own, as the set is chosen once per process."""
    code = """
import sys, torch
from deeplab_caffe import ops
ops.isa()
x = [torch.randn(3, 5, 1001, generator=torch.Generator().manual_seed(i)) for i in range(3)]
torch.save([ops.eltwise(name, x, [0.3, -1.7, 2.9]) for name in ops.ELTWISE_OPERATIONS], sys.argv[1])
"""
    path = tmp_path / "out.pt"
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env=os.environ | {"DEEPLAB_CAFFE_ISA": isa},
        capture_output=True,
        text=True,
    )
    if run.returncode and isa != "portable" and "DeepLabError" in run.stderr:
        pytest.skip(f"this processor has no {isa}")
    assert run.returncode == 0, run.stderr
    x = [torch.randn(3, 5, 1001, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    for name, result in zip(ops.ELTWISE_OPERATIONS, torch.load(path), strict=True):
        assert same_bits(result, reference.eltwise(name, x, [0.3, -1.7, 2.9]))


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
