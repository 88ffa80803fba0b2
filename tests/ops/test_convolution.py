"""Atrous convolution against its twin, for every instruction set, thread count and batch."""

import os
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.ops.epilogue import BatchNorm, Bias, Clip, ReLU, Scale, Sum
from tests import fresh, reference
from tests.instruction_sets import SETS, lesser_sets
from tests.values import same_bits

ROOT = Path(__file__).parents[2]


def random_case(seed: int) -> dict:
    """A small geometry; every tenth has K over several blocks of a reduction, in few rows: twins are slow."""
    r, deep = random.Random(seed), seed % 10 == 0
    groups = r.choice([1, 1, 1, 2, 3, 16])
    kernel = (r.randint(1, 4), r.randint(1, 4))
    dilation = (r.choice([1, 1, 2, 4, 12]), r.choice([1, 1, 2, 5, 12]))
    per_group = (
        r.choice([449, 460, 950]) // (kernel[0] * kernel[1]) + 1 if deep else r.choice([1, 1, 2, 5, 9])
    )
    return {
        "batch": r.randint(1, 3),
        "channels": per_group * groups,
        "size": (r.randint(1, 12 if deep else 40), r.choice([r.randint(1, 70), r.randint(70, 200)])),
        "out": r.choice([r.randint(1, 20), r.randint(25, 40)]) * groups if groups < 16 else 2 * groups,
        "kernel": kernel,
        "stride": (r.randint(1, 3), r.randint(1, 3)),
        "pad": tuple(
            r.choice([0, 1, d * (k - 1) // 2, d * (k - 1)]) for d, k in zip(dilation, kernel, strict=True)
        ),
        "dilation": dilation,
        "groups": groups,
        "steps": r.choice(
            [
                [],
                ["bias"],
                ["relu"],
                ["bias", "relu"],
                ["batch_norm", "scale", "bias", "sum", "relu"],
                ["scale", "clip"],
            ]
        ),
        "seed": seed,
    }


def fits(case: dict) -> bool:
    return all(
        ops.convolved_size(
            case["size"][i], case["kernel"][i], case["stride"][i], case["pad"][i], case["dilation"][i]
        )
        > 0
        for i in range(2)
    )


def depthwise_case(seed: int) -> dict:
    """Every channel by itself, mostly 3x3, at the strides and rates that have a path of their own."""
    case, r = random_case(seed), random.Random(seed)
    kernel, channels = r.choice([(3, 3)] * 4 + [(5, 5), (3, 2)]), r.randint(1, 5)
    rate = r.choice([1, 1, 2, 3, 12])
    dilation = r.choice([(rate, rate), (rate, rate), case["dilation"]])
    return case | {
        "channels": channels,
        "groups": channels,
        "out": channels * r.choice([1, 1, 2]),
        "kernel": kernel,
        "stride": r.choice([(1, 1), (1, 1), (2, 2), (2, 2), (3, 3), (1, 2), (2, 1)]),
        "pad": r.choice([dilation, (0, 0), (1, 2), (2 * dilation[0], 3 * dilation[1])]),
        "dilation": dilation,
    }


def long_case(seed: int) -> dict:
    """Sums of one to three blocks, for few outputs and many; outputs far outside that see no tap, or few."""
    case, r = random_case(seed), random.Random(seed)
    taps = case["kernel"][0] * case["kernel"][1]
    groups = r.choice([1, 1, 2])
    return case | {
        "batch": r.randint(1, 2),
        "channels": groups * (r.choice([256, 300, 449, 950]) // taps + 1),
        "groups": groups,
        "size": (r.randint(1, 6), r.randint(1, 60)),
        "out": groups * r.choice([1, 8, 9, 16, 21, 24, 30]),
        "pad": tuple(
            r.choice([0, d * (k - 1), d * (k - 1) + 3])
            for d, k in zip(case["dilation"], case["kernel"], strict=True)
        ),
    }


CASES = [
    case
    for case in [
        *map(random_case, range(80)),
        *map(depthwise_case, range(100, 140)),
        *map(long_case, range(200, 240)),
    ]
    if fits(case)
]


def arguments(case: dict) -> dict:
    g = torch.Generator().manual_seed(case["seed"])

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=g)

    axes = [
        (case["size"][i], case["kernel"][i], case["stride"][i], case["pad"][i], case["dilation"][i])
        for i in range(2)
    ]
    out = case["out"]
    operands = {
        "bias": Bias(draw(out)),
        "scale": Scale(draw(out)),
        "batch_norm": BatchNorm(draw(out), draw(out).abs() + 0.5),
        "sum": Sum(
            draw(case["batch"], out, *(ops.convolved_size(*axis) for axis in axes)),
            1.5,
            -0.7,
            out % 2 == 0,
        ),
        "relu": ReLU(0.25 * (out % 3)),
        "clip": Clip(-1.0, 2.0),
    }
    return {
        "x": draw(case["batch"], case["channels"], *case["size"]),
        "weights": draw(out, case["channels"] // case["groups"], *case["kernel"]),
        "epilogue": [operands[kind] for kind in case["steps"]],
        **{name: case[name] for name in ("stride", "pad", "dilation", "groups")},
    }


def check_all_cases(twins: list[torch.Tensor]) -> None:
    """What the subprocess of each instruction set runs."""
    for case, wanted in zip(CASES, twins, strict=True):
        given = arguments(case)
        for threads in (1, 2, 3):
            assert same_bits(ops.atrous_conv(**given, threads=threads), wanted), (threads, case)


def test_there_are_many_cases():
    assert len(CASES) > 60


@pytest.fixture(scope="module")
def twins():
    """What the twin gives for each case, computed once for all instruction sets."""
    return [reference.atrous_conv(**arguments(case)) for case in CASES]


@pytest.mark.slow
def test_equals_the_twin_bit_for_bit(twins):
    check_all_cases(twins)


@pytest.mark.slow
@pytest.mark.parametrize("isa", SETS[:-1])
def test_equals_the_twin_bit_for_bit_with_each_instruction_set(isa, twins, tmp_path):
    if isa not in lesser_sets():
        pytest.skip("tested directly, or not to be had here")
    torch.save(twins, tmp_path / "twins.pt")
    environment = os.environ | {"DEEPLAB_CAFFE_ISA": isa, "PYTHONPATH": str(ROOT)}
    run = fresh.run(__file__, tmp_path / "twins.pt", env=environment)
    assert run.returncode == 0, run.stderr[-2000:]


def rows_of(case: dict, twin: torch.Tensor, first: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows [first, end) by ops, from just the rows they read, and by the twin; both have one more in front.

    twin: of the whole convolution, without epilogue.
    """
    given = arguments(case)
    x, weights = given.pop("x"), given.pop("weights")
    window = case["kernel"][0], case["stride"][0], case["pad"][0], case["dilation"][0]
    reads = ops.rows_read((first, end), x.shape[2], *window)
    shape = (*twin.shape[:2], end - first + 1, twin.shape[3])
    for i, op in enumerate(given["epilogue"]):
        if isinstance(op, Sum):
            given["epilogue"][i] = replace(op, other=torch.randn(shape))
    held = x[:, :, reads[0] : reads[1]].contiguous()
    outs = torch.full(shape, 7.0), torch.full(shape, 7.0)
    place = {"rows": (first, end), "height": x.shape[2], "x_first": reads[0], "out_first": first - 1}
    packed = ops.pack_weights(weights, case["groups"])
    ops.atrous_conv_rows(held, packed, tuple(weights.shape), out=outs[0], **place, **given)
    outs[1][:, :, 1:] = reference.epilogue_rows(twin[:, :, first:end], given["epilogue"], 1)
    return outs


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES[::2], ids=lambda case: str(case["seed"]))
def test_some_rows_are_the_rows_of_the_whole(case):
    axis = (case["size"][0], case["kernel"][0], case["stride"][0], case["pad"][0], case["dilation"][0])
    height = ops.convolved_size(*axis)
    whole = arguments(case) | {"epilogue": []}
    twin = reference.atrous_conv(**whole)
    assert same_bits(ops.atrous_conv(**whole), twin)
    for first, end in {(0, height), (0, 1), (height - 1, height), (height // 3, height // 3 * 2 + 1)}:
        ours, twins = rows_of(case, twin, first, end)
        assert same_bits(ours, twins), (first, end)
        assert (ours[:, :, 0] == 7).all()


def test_missing_rows_are_named():
    packed, shape = ops.pack_weights(torch.ones(1, 1, 3, 3)), (1, 1, 3, 3)
    x, out = torch.ones(1, 1, 4, 5), torch.empty(1, 1, 4, 3)
    with pytest.raises(DeepLabError, match="x holds rows 3 to 7, 2 to 8 wanted"):
        ops.atrous_conv_rows(x, packed, shape, (2, 6), 9, 3, out, 2)
    with pytest.raises(DeepLabError, match="out holds rows 3 to 7, 2 to 3 wanted"):
        ops.atrous_conv_rows(x, packed, shape, (2, 3), 9, 2, out, 3)
    with pytest.raises(DeepLabError, match="does not fit"):
        ops.atrous_conv_rows(x, packed, shape, (0, 1), 9, 0, torch.empty(1, 2, 4, 3), 0)


def test_a_batch_equals_its_images():
    x, w = torch.randn(3, 40, 31, 45), torch.randn(21, 40, 3, 3)
    together = ops.atrous_conv(x, w, pad=(6, 6), dilation=(6, 6))
    for i in range(3):
        assert same_bits(together[i : i + 1], ops.atrous_conv(x[i : i + 1], w, pad=(6, 6), dilation=(6, 6)))


@pytest.mark.parametrize("groups", [1, 3])
def test_packing_is_invertible(groups):
    w = torch.randn(21, 5, 3, 2)
    assert torch.equal(ops.unpack_weights(ops.pack_weights(w, groups), w.shape, groups), w)


def packed_by_hand(w: torch.Tensor, groups: int) -> torch.Tensor:
    """[group][row tile][k][8], missing rows of the last tile 0."""
    rows = w.reshape(groups, len(w) // groups, -1)
    padded = torch.nn.functional.pad(rows, (0, 0, 0, -rows.shape[1] % 8))
    return padded.view(groups, -1, 8, rows.shape[2]).transpose(2, 3).reshape(-1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape, groups", [((21, 5, 3, 2), 1), ((21, 5, 3, 2), 3), ((6, 1, 3, 3), 6)])
def test_packed_weights_read_from_a_file(tmp_path, shape, groups, threads):
    w = torch.randn(shape)
    path = tmp_path / "weights"
    path.write_bytes(b"abc" + w.numpy().tobytes())
    out = torch.full((ops.packed_weights_size(shape, groups),), torch.nan)
    with path.open("rb") as file:
        assert ops.read_packed_weights(file.fileno(), 3, shape, out, groups, threads)
        assert torch.equal(out, ops.pack_weights(w, groups))
        depthwise = shape[1] == 1
        assert torch.equal(out, w.view(-1) if depthwise else packed_by_hand(w, groups))
        assert not ops.read_packed_weights(file.fileno(), 4, shape, out, groups, threads)
    with pytest.raises(DeepLabError, match="read_packed_weights: out is"):
        ops.read_packed_weights(0, 0, shape, out[1:], groups)


def test_packed_weights_give_the_same():
    x, w = torch.randn(1, 5, 9, 9), torch.randn(7, 5, 3, 3)
    assert same_bits(ops.atrous_conv(x, w), ops.atrous_conv(x, ops.pack_weights(w), packed_shape=w.shape))


def test_float64_twin_agrees_closely():
    x, w = torch.randn(1, 100, 20, 20), torch.randn(8, 100, 3, 3)
    wanted = reference.atrous_conv(x.double(), w.double(), pad=(2, 2), dilation=(2, 2))
    ours = ops.atrous_conv(x, w, pad=(2, 2), dilation=(2, 2)).double()
    assert (ours - wanted).norm() / wanted.norm() < 1e-6
    torchs = torch.nn.functional.conv2d(x.double(), w.double(), padding=2, dilation=2)
    assert torch.allclose(wanted, torchs)


@pytest.mark.parametrize("depth", [1, 447, 448, 449, 460, 895, 896, 897, 1344, 4608, 18432])
def test_reduction_blocks_cover_the_depth(depth):
    blocks = reference.reduction_blocks(depth)
    assert blocks[0][0] == 0 and blocks[-1][1] == depth
    assert all(a[1] == b[0] for a, b in zip(blocks, blocks[1:], strict=False))
    assert max(end - begin for begin, end in blocks) <= 448


def valid(o: int, size: int, kernel: int, stride: int, pad: int, dilation: int) -> list[int]:
    return [k for k in range(kernel) if 0 <= o * stride - pad + k * dilation < size]


@pytest.mark.parametrize(
    "kernel,stride,dilation", [(1, 1, 1), (3, 1, 1), (3, 2, 1), (3, 1, 12), (4, 1, 4), (7, 2, 3)]
)
def test_intervals_partition_the_outputs_and_miss_no_tap(kernel, stride, dilation):
    for size in range(1, 70):
        for pad in {0, 1, dilation * (kernel - 1) // 2, dilation * (kernel - 1)}:
            out = ops.convolved_size(size, kernel, stride, pad, dilation)
            if out < 1:
                continue
            for worth, shortest in ((0, 1), (24, 8)):
                intervals = ops.tap_intervals(size, kernel, stride, pad, dilation, 10, worth, shortest)
                assert intervals[0][0] == 0 and intervals[-1][1] == out
                assert all(a[1] == b[0] for a, b in zip(intervals, intervals[1:], strict=False))
                for begin, end, taps in intervals:
                    seen = {
                        k for o in range(begin, end) for k in valid(o, size, kernel, stride, pad, dilation)
                    }
                    assert set(taps) == seen
                    if worth == 0:
                        first = valid(begin, size, kernel, stride, pad, dilation)
                        assert all(
                            valid(o, size, kernel, stride, pad, dilation) == first for o in range(begin, end)
                        )
                if len(intervals) > 1 and shortest > 1:
                    assert min(end - begin for begin, end, _ in intervals) >= shortest


def test_skipped_work_at_large_rates():
    """At rate 12 on a 65x65 map 23% of all taps lie in the padding, at rate 24 43% (3x3, pad = rate)."""
    for rate, share in ((12, 0.23), (24, 0.43)):
        pairs = {"pad": (rate, rate), "dilation": (rate, rate)}
        done = ops.planned_multiply_adds(ops.ConvGeometry.of((1, 16, 65, 65), (8, 16, 3, 3), **pairs))
        skipped = 1 - done / (65 * 65 * 16 * 8 * 9)
        assert abs(skipped - share) < 0.01


@pytest.mark.parametrize(
    "change,message",
    [
        ({"groups": 2}, "groups"),
        ({"stride": (0, 1)}, "stride"),
        ({"dilation": (9, 9)}, "larger than"),
        ({"pad": (-1, 0)}, "pad"),
        ({"epilogue": [Bias(torch.zeros(3))]}, "values given"),
        ({"epilogue": [("bias", torch.zeros(8))]}, "an EpilogueOp wanted"),
        ({"epilogue": [Sum(torch.zeros(3))]}, "sum with"),
        ({"out": torch.zeros(1)}, "out is"),
    ],
)
def test_what_does_not_fit_is_an_error(change, message):
    given = {"x": torch.zeros(1, 3, 8, 8), "weights": torch.zeros(4, 3, 3, 3)} | change
    with pytest.raises(DeepLabError, match=message):
        ops.atrous_conv(**given)


def test_a_sum_may_be_written_over_its_other_term():
    x, w, other = torch.randn(1, 4, 20, 50), torch.randn(9, 4, 1, 1), torch.randn(1, 9, 20, 50)
    wanted = ops.atrous_conv(x, w, epilogue=[Sum(other)])
    assert same_bits(ops.atrous_conv(x, w, epilogue=[Sum(other)], out=other), wanted)


def test_wrong_types_are_errors():
    with pytest.raises(DeepLabError, match="float32"):
        ops.atrous_conv(torch.zeros(1, 3, 8, 8).double(), torch.zeros(4, 3, 3, 3))
    with pytest.raises(DeepLabError, match="dimensions"):
        ops.atrous_conv(torch.zeros(3, 8, 8), torch.zeros(4, 3, 3, 3))


if __name__ == "__main__":
    check_all_cases(torch.load(sys.argv[1]))
