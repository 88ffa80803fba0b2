"""Convolution in bf16 by our own kernels: the plain ones against the twin, the instructions against those."""

from dataclasses import replace

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.ops.epilogue import Sum
from tests.ops.test_convolution import arguments, fits, long_case, random_case
from tests.reference.bf16 import atrous_conv_bf16, rounded
from tests.values import normal, same_bits

PLAIN = [name for name in ops.BF16_KERNELS if name.endswith("_plain")]
WIDE = {"batch": 1, "channels": 70, "size": (19, 50), "out": 37, "kernel": (3, 3), "stride": (1, 1)}
WIDE |= {"pad": (4, 4), "dilation": (4, 4), "steps": ["bias", "relu"], "seed": 1}
ONE_TAP = WIDE | {"channels": 361, "kernel": (1, 1), "pad": (0, 0), "size": (9, 13), "batch": 2, "out": 16}


def one_group(case):
    out = max(1, case["out"] // case["groups"])
    return case | {"groups": 1, "channels": min(case["channels"], 70), "out": out}


CASES = [
    case
    for case in [
        WIDE | {"groups": 1},
        ONE_TAP | {"groups": 1},
        *map(one_group, map(random_case, range(300, 330))),
        *map(one_group, map(long_case, range(400, 410))),
    ]
    if fits(case)
]
QUICK = {300, 301, 302, 303, 304}
MARKED = [case if case["seed"] in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES]


def of_case(case):
    given = arguments(case)
    given.pop("groups")
    return given


@pytest.mark.parametrize("kernels", PLAIN)
@pytest.mark.parametrize("case", MARKED, ids=lambda case: str(case["seed"]))
def test_plain_kernels_equal_the_twin(case, kernels):
    given = of_case(case)
    wanted = atrous_conv_bf16(**given, bf16=kernels)
    for threads in (1, 2, 3):
        assert same_bits(ops.atrous_conv(**given, threads=threads, bf16=kernels), wanted), threads


@pytest.mark.parametrize("kernels", ops.BF16_INSTRUCTIONS)
@pytest.mark.parametrize("case", MARKED, ids=lambda case: str(case["seed"]))
def test_instructions_equal_the_plain_kernels(case, kernels):
    if not ops.has_bf16_kernels(kernels):
        pytest.skip("no such instructions here")
    given = of_case(case)
    wanted = ops.atrous_conv(**given, bf16=f"{kernels}_plain")
    assert same_bits(ops.atrous_conv(**given, bf16=kernels), wanted)


def error_bound(x, weights, **geometry):
    """Of a float32 sum in any order of exact products: n roundings, each of at most 2**-24 of the terms."""
    terms = 2 * weights[0].numel() + 8  # the order has n additions, and those of chains, chunks and blocks
    size = torch.conv2d(x.abs(), weights.abs(), **geometry)
    return terms * 2.0**-24 * size


@pytest.mark.parametrize("kernels", PLAIN)
@pytest.mark.parametrize("case", [WIDE, ONE_TAP], ids=["3x3", "1x1"])
def test_the_sums_are_those_of_rounded_numbers(case, kernels):
    given = of_case(case | {"groups": 1, "steps": []})
    given.pop("epilogue")
    names = {"stride": given["stride"], "padding": given["pad"], "dilation": given["dilation"]}
    x, w = rounded(given["x"]).double(), rounded(given["weights"]).double()
    ours, bound = ops.atrous_conv(**given, bf16=kernels).double(), error_bound(x, w, **names)
    assert ((ours - torch.conv2d(x, w, **names)).abs() <= bound).all()
    # Torch's own sum is as good, and then rounded to bf16.
    theirs = torch.conv2d(given["x"].bfloat16(), given["weights"].bfloat16(), **names).double()
    assert ((ours - theirs).abs() <= 2 * bound + 2.0**-8 * theirs.abs()).all()


@pytest.mark.parametrize("kernels", PLAIN)
def test_some_rows_are_the_rows_of_the_whole(kernels):
    given = of_case(WIDE | {"groups": 1, "steps": ["bias", "sum", "relu"], "channels": 33})
    x, weights = given.pop("x"), given.pop("weights")
    whole = ops.atrous_conv(x, weights, **given, bf16=kernels)
    packed, shape, height = ops.pack_bf16_weights(weights), tuple(weights.shape), whole.shape[2]
    for first, end in {(0, height), (0, 1), (height - 1, height), (height // 3, height // 3 * 2 + 1)}:
        begin, behind = ops.rows_read((first, end), x.shape[2], 3, 1, 4, 4)
        parts = [
            replace(op, other=op.other[:, :, first:end].contiguous()) if isinstance(op, Sum) else op
            for op in given["epilogue"]
        ]
        out = torch.full((*whole.shape[:2], end - first, whole.shape[3]), 7.0)
        held, place = x[:, :, begin:behind].contiguous(), ((first, end), x.shape[2], begin, out, first)
        ops.atrous_conv_rows(held, packed, shape, *place, **given | {"epilogue": parts}, bf16=kernels)
        assert same_bits(out, whole[:, :, first:end]), (first, end)


@pytest.mark.parametrize("kernels", PLAIN)
def test_a_batch_equals_its_images(kernels):
    x, w = normal(3, 40, 11, 45), normal(21, 40, 3, 3)
    together = ops.atrous_conv(x, w, pad=(6, 6), dilation=(6, 6), bf16=kernels)
    for i in range(3):
        alone = ops.atrous_conv(x[i : i + 1], w, pad=(6, 6), dilation=(6, 6), bf16=kernels)
        assert same_bits(together[i : i + 1], alone)
    assert ops.atrous_conv(x[:0], w, bf16=kernels).shape == (0, 21, 9, 43)


@pytest.mark.parametrize("kernels", PLAIN)
def test_numbers_out_of_the_ordinary(kernels):
    tiny = 2.0**-126
    x = torch.tensor([torch.inf, torch.nan, tiny / 2, -tiny / 4, 3.0, 2.0**127, 1 + 2.0**-8, 1 + 3 * 2.0**-8])
    x = x.view(1, 1, 1, 8)

    def times(weight):
        return ops.atrous_conv(x, torch.full((1, 1, 1, 1), weight), bf16=kernels).flatten()

    once = times(1.0)
    assert once[0] == torch.inf and once[1].isnan()
    assert once[2:].tolist() == [0, 0, 3, 2.0**127, 1, 1 + 2.0**-6]  # half to even
    assert times(2.0**-126)[4:6].tolist() == [3 * tiny, 2.0]
    assert times(2.0**-127).nan_to_num().eq(0).all()  # a weight that is denormal
    assert times(0.5 * tiny * 2)[6] == tiny and times(4.0)[5] == torch.inf
    small = ops.atrous_conv(
        torch.full((1, 1, 1, 1), 2.0**-70), torch.full((1, 1, 1, 1), 2.0**-70), bf16=kernels
    )
    assert small == 0  # a denormal sum


def test_what_is_not_there(monkeypatch):
    assert ops.bf16_kernels() == "torch"
    monkeypatch.setenv("DEEPLAB_CAFFE_BF16", "none")
    with pytest.raises(
        DeepLabError, match="^DEEPLAB_CAFFE_BF16: none given, one of torch, avx512, .*plain wanted$"
    ):
        ops.bf16_kernels()
    monkeypatch.setenv("DEEPLAB_CAFFE_BF16", "amx_plain")
    assert ops.bf16_kernels() == "amx_plain"
    monkeypatch.setattr("deeplab_caffe.ops.bf16.has_bf16_kernels", lambda name: False)
    with pytest.raises(DeepLabError, match="^bf16 kernels: amx given, this processor .or build. has no such"):
        with ops.choose_bf16_kernels("amx"):
            pass
    with pytest.raises(DeepLabError, match="^atrous_conv: bf16: torch given, one of avx512, amx, .* wanted$"):
        ops.atrous_conv(normal(1, 4, 5, 5), normal(4, 4, 3, 3), bf16="torch")
    with pytest.raises(DeepLabError, match="^atrous_conv: bf16: amx given, this processor .or build. has no"):
        ops.atrous_conv(normal(1, 4, 5, 5), normal(4, 4, 3, 3), bf16="amx")
    with pytest.raises(DeepLabError, match="one group on the CPU wanted"):
        ops.atrous_conv(normal(1, 4, 5, 5), normal(4, 2, 3, 3), groups=2, bf16="amx_plain")
    with pytest.raises(DeepLabError, match="values given"):
        ops.atrous_conv(normal(1, 4, 5, 5), normal(9), packed_shape=(4, 4, 3, 3), bf16="amx_plain")


def test_a_processor_without_the_instructions_says_so():
    lacking = [name for name in ops.BF16_INSTRUCTIONS if not ops.has_bf16_kernels(name)]
    for name in lacking:
        way, nothing = getattr(ops.bf16._C.Bf16Way, name), ops.ConvGeometry.of((1, 2, 3, 3), (2, 2, 1, 1))
        with pytest.raises(ValueError, match="no such instructions"):
            ops.bf16._C.bf16_conv(nothing.native(), way, 0, 0, [], 0, 1)
