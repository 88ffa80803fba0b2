"""The device's plan of a convolution: every output once, every tap it sees, in the canonical order."""

from dataclasses import astuple, dataclass

import numpy as np
import pytest
import torch

from deeplab_caffe import ops
from tests import reference

native = pytest.importorskip("deeplab_caffe._cuda_emulated")

STAGE_DEPTH = 16
STAGE = np.dtype(
    [("offset", "i4", 16), ("row", "i4", 16), ("column", "i4", 16), ("k", "i4", 16), ("filled", "i4", 4)]
)
REGION = np.dtype([(name, "i4") for name in ("first", "row", "column", "height", "width")])
TILE = np.dtype([(name, "i4") for name in ("first", "count", "region", "stage", "ends", "checked")])


@dataclass
class Axis:
    size: int
    out: int
    kernel: int
    stride: int
    pad: int
    dilation: int

    def inputs(self, output: int) -> list[int]:
        """Where each tap of an output lies, inside the image or not."""
        return [output * self.stride - self.pad + k * self.dilation for k in range(self.kernel)]


@dataclass
class Case:
    batch: int
    groups: int
    channels: int
    outputs: int
    rows: Axis
    columns: Axis

    def geometry(self):
        size, out, *pairs = zip(astuple(self.rows), astuple(self.columns), strict=True)
        geometry = ops.ConvGeometry(self.batch, self.channels, size, self.outputs, out, *pairs, self.groups)
        return geometry.native(native)


def make_axis(size, kernel, stride, pad, dilation):
    return Axis(size, ops.convolved_size(size, kernel, stride, pad, dilation), kernel, stride, pad, dilation)


def tables(plan):
    data = torch.empty(plan.table_bytes, dtype=torch.uint8)
    plan.write_tables(data.data_ptr())
    at, found = 0, []
    for kind, count in zip((STAGE, REGION, TILE, np.dtype("i4")), plan.table_sizes, strict=True):
        found.append(np.frombuffer(data.numpy(), kind, count, at))
        at += -(-count * kind.itemsize // 16) * 16
    assert at == plan.table_bytes
    return found


def check(case, shape, way, processors=2):
    """Returns the multiply-adds done for an output channel, and those of the outputs' own taps."""
    plan = native.ConvTilePlan(case.geometry(), processors, shape, way)
    stages, regions, tiles, ends = tables(plan)
    rows, columns = case.rows, case.columns
    taps, per_group = rows.kernel * columns.kernel, case.channels // case.groups
    blocks = reference.convolution.reduction_blocks(per_group * taps)
    assert plan.blocks == len(blocks)
    ways = {0: plan.tiles, 1: 0, 2: plan.tiles // processors * processors}
    assert plan.whole == ways[way] if way >= 0 else plan.whole in ways.values()
    assert plan.items == plan.whole + (plan.tiles - plan.whole) * plan.blocks
    width = native.conv_tile_shapes()[plan.shape][1]
    seen, done, needed, stage_lists = set(), 0, 0, {}
    for tile in tiles:
        assert 1 <= tile["count"] <= width
        last = ends[tile["ends"] : tile["ends"] + len(blocks)]
        key = int(tile["stage"])
        if key not in stage_lists:
            stage_lists[key] = walk(case, stages[key : key + last[-1]], last, blocks)
        tile_taps = stage_lists[key]
        done += tile["count"] * len(tile_taps) * per_group
        region = tile["region"]
        inside = True
        for position in range(tile["first"], tile["first"] + tile["count"]):
            while position >= regions[region + 1]["first"]:
                region += 1
            r = regions[region]
            row, x = divmod(position - r["first"], r["width"])
            image, y = divmod(row, r["height"])
            output = int(image), int(r["row"] + y), int(r["column"] + x)
            assert output not in seen and output[0] < case.batch
            seen.add(output)
            ys, xs = rows.inputs(output[1]), columns.inputs(output[2])
            own = {
                ky * columns.kernel + kx
                for ky in range(rows.kernel)
                for kx in range(columns.kernel)
                if 0 <= ys[ky] < rows.size and 0 <= xs[kx] < columns.size
            }
            assert own <= tile_taps
            inside &= own == tile_taps
            needed += len(own) * per_group
        assert tile["checked"] or inside
    assert len(seen) == case.batch * rows.out * columns.out
    return done, needed


def walk(case, stages, last, blocks):
    """Checks a tile's stages against the blocks; the set of its taps."""
    taps, columns = case.rows.kernel * case.columns.kernel, case.columns
    walked = []
    for begin, end, (first_k, last_k) in zip([0, *last], last, blocks, strict=False):
        for stage in stages[begin:end]:
            filled = stage["filled"][0]
            assert 1 <= filled <= STAGE_DEPTH
            for i in range(filled):
                k = int(stage["k"][i])
                assert first_k <= k < last_k
                channel, tap = divmod(k, taps)
                ky, kx = divmod(tap, columns.kernel)
                row, column = ky * case.rows.dilation, kx * columns.dilation
                assert (stage["row"][i], stage["column"][i]) == (row, column)
                area = case.rows.size * columns.size
                assert stage["offset"][i] == channel * area + row * columns.size + column
                walked.append(k)
    assert walked == sorted(set(walked))
    found = {k % taps for k in walked}
    assert len(walked) == len(found) * (case.channels // case.groups)
    return found


AXES = [
    (size, kernel, stride, pad, dilation)
    for size in (1, 2, 7, 12, 19)
    for kernel, stride, dilation in ((1, 1, 1), (3, 1, 1), (3, 2, 1), (3, 1, 6), (4, 1, 4), (5, 3, 2))
    for pad in sorted({0, dilation * (kernel - 1) // 2, dilation * kernel})
    if ops.convolved_size(size, kernel, stride, pad, dilation) > 0
]


@pytest.mark.slow
@pytest.mark.parametrize("shape", range(len(native.conv_tile_shapes())))
def test_every_output_and_tap(shape):
    for i, axis in enumerate(AXES):
        other = AXES[(7 * i + 3 + shape) % len(AXES)]
        case = Case(1 + i % 3, 2, 2 * (1 + i % 4), 6, make_axis(*axis), make_axis(*other))
        check(case, shape, i % 3)


@pytest.mark.parametrize("channels", [1, 49, 50, 99, 100, 101, 150])
def test_blocks_of_the_reduction(channels):
    axis = make_axis(9, 3, 1, 4, 4)
    check(Case(1, 1, channels, 3, axis, axis), 3, -1)


@pytest.mark.parametrize("rate,share", [(12, 0.77), (24, 0.57)])
def test_padding_is_skipped(rate, share):
    """The walked taps of a 65x65 map, of which so many lie inside, with 3 % for tiles that cross borders."""
    axis = make_axis(65, 3, 1, rate, rate)
    done, needed = check(Case(2, 1, 1, 128, axis, axis), 0, 0)
    nominal = 2 * 65 * 65 * 9
    assert abs(needed / nominal - share) < 0.01
    assert done / needed < 1.03


def test_choice_follows_the_work():
    """Few labels take narrow tiles; few tiles are split along the reduction, many are not."""

    def plan(channels, size, outputs, batch):
        axis = make_axis(size, 3, 1, 6, 6)
        case = Case(batch, 1, channels, outputs, axis, axis)
        return native.ConvTilePlan(case.geometry(), 132, -1, -1)

    shapes = native.conv_tile_shapes()
    assert shapes[plan(512, 65, 21, 8).shape][0] == 32
    large = plan(512, 65, 512, 8)
    assert shapes[large.shape][0] == 128 and large.whole > 0.9 * large.tiles
    assert large.whole in (large.tiles, large.tiles // 132 * 132)
    few = plan(2048, 33, 21, 1)
    assert few.whole == 0 and few.items == few.tiles * few.blocks
    one_block = plan(16, 33, 21, 1)
    assert one_block.scratch == 0 and one_block.whole == one_block.tiles


def test_sizes_beyond_the_device_are_errors():
    axis = make_axis(40000, 1, 1, 0, 1)
    with pytest.raises(ValueError, match="32-bit"):
        native.ConvTilePlan(Case(2, 1, 1, 1, axis, axis).geometry(), 1, -1, -1)
    # A tap so far below the first one that the input between them has 2^31 values.
    rows, columns = make_axis(31000, 2, 1, 40000, 70000), make_axis(31000, 1, 1, 0, 1)
    with pytest.raises(ValueError, match="32-bit"):
        native.ConvTilePlan(Case(1, 1, 1, 1, rows, columns).geometry(), 1, -1, -1)
    with pytest.raises(ValueError, match="no such tile"):
        small = make_axis(4, 1, 1, 0, 1)
        native.ConvTilePlan(Case(1, 1, 1, 1, small, small).geometry(), 1, 99, -1)
