import random

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.ops import tensor_core_plan
from tests.ops.tensor_core_cases import KERNELS, random_case


@pytest.mark.parametrize("seed", range(60))
def test_tiles_cover_every_output_with_its_taps(seed):
    rng = random.Random(seed)
    cluster = 2 if seed >= 40 else 1  # of blocks that walk the same taps
    wgmma = cluster > 1
    precision, rows, columns = rng.choice([(p, r, c) for p, r, c, w in KERNELS if w == wgmma])
    cases = [random_case(rng, 40, columns == 32)[:5] for _ in range(rng.randint(1, 3))]
    cases = [((x[0], w[1], *x[2:]), w, *pairs) for x, w, *pairs in cases]
    geometries = [ops.ConvGeometry.of(*case) for case in cases]
    items, regions, taps = ops.tensor_core_tiles(geometries, precision, (rows, columns, cluster), wgmma)
    if not wgmma:  # those of wgmma are in queues
        assert [item[7] for item in items] == sorted((item[7] for item in items), reverse=True)
    rows *= cluster
    seen = [{} for _ in geometries]
    for branch, group, position, region, channel, taps_at, count, _ in items:
        assert group == 0 and channel % columns == 0
        (batch, _, height, width), w, stride, pad, dilation = cases[branch]
        out = [
            ops.convolved_size((height, width)[i], w[2 + i], stride[i], pad[i], dilation[i]) for i in range(2)
        ]
        chosen = {(tap >> 16, tap & 0xFFFF) for tap in taps[taps_at : taps_at + count]}
        for p in range(position, min(position + rows, batch * out[0] * out[1])):
            while p >= regions[region + 1][0]:
                region += 1
            begin, y, x, high, wide = regions[region]
            line, column = divmod(p - begin, wide)
            at = (line // high, y + line % high, x + column)
            assert seen[branch].setdefault((at, channel), position) == position
            seen[branch][at, channel] = position
            needed = {
                (ky, kx)
                for ky in range(w[2])
                for kx in range(w[3])
                if 0 <= at[1] * stride[0] - pad[0] + ky * dilation[0] < height
                and 0 <= at[2] * stride[1] - pad[1] + kx * dilation[1] < width
            }
            assert needed <= chosen
    for (shape, w, stride, pad, dilation), found in zip(cases, seen, strict=True):
        out = [ops.convolved_size(shape[2 + i], w[2 + i], stride[i], pad[i], dilation[i]) for i in range(2)]
        assert len(found) == shape[0] * out[0] * out[1] * -(-w[0] // columns)
        assert {at[0] for at in found} == {
            (n, y, x) for n in range(shape[0]) for y in range(out[0]) for x in range(out[1])
        }


def test_tiles_leave_padding_out():
    """Rate 24 on 65 x 65: 43% of the taps lie in the padding."""
    geometry = ops.ConvGeometry.of((8, 512, 65, 65), (1024, 512, 3, 3), (1, 1), (24, 24), (24, 24))
    items, _, _ = ops.tensor_core_tiles([geometry], "bf16", (128, 128))
    full = -(-8 * 65 * 65 // 128) * 8 * 9 * 8
    planned = sum(item[7] for item in items) / full
    needed = ops.planned_multiply_adds(geometry) / (8 * 65 * 65 * 1024 * 512 * 9)
    assert needed <= planned < 1.03 * needed


def test_plans_that_a_graph_may_know_are_named_each_time(monkeypatch):
    """Those of the latest shapes are kept; a CUDA graph may have been captured with any."""
    named = []
    monkeypatch.setattr(tensor_core_plan, "keep_for_graphs", lambda plan, device: named.append(plan))
    plans, cpu = {}, torch.device("cpu")
    for size in [*range(4, 24), 23]:
        geometry = ops.ConvGeometry.of((1, 16, size, size), (16, 16, 1, 1))
        plan = tensor_core_plan.plan_on(cpu, plans, (geometry,), "bf16", None, False, False, 132)
        assert named.pop() is plan and not named
    assert len(plans) == 16
