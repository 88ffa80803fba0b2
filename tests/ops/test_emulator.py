"""The host emulator of CUDA kernels: it computes what a GPU would, and finds what a GPU would trip over."""

import importlib
import os
import re

import pytest
import torch

from tests import fresh

emulated = pytest.importorskip("deeplab_caffe._cuda_emulated")


def test_shuffles_shared_memory_and_barriers():
    x = torch.randint(-1000, 1000, (5, 256), dtype=torch.int32)
    y = torch.zeros(5, dtype=torch.int32)
    emulated.check_block_sum(x.data_ptr(), y.data_ptr(), 5, 256)
    assert torch.equal(y, x.sum(1, dtype=torch.int32))


def test_parts_of_warps_go_different_ways():
    wrong = torch.zeros(1, dtype=torch.int32)
    emulated.check_votes(wrong.data_ptr())
    assert wrong.item() == 0


def test_many_barriers():
    x = torch.arange(1024, dtype=torch.int32)
    emulated.check_rotate(x.data_ptr(), 1024, 100)
    assert torch.equal(x, (torch.arange(1024, dtype=torch.int32) + 100) % 1024)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("half_a_barrier", "barrier 0 reached by 40 of 64 threads"),
        ("half_a_warp", "not all lanes of a mask have come"),
        ("past_the_end", "written past its end"),
        ("endless", "poll for what nobody does"),
        ("crooked_source", "not 16-byte aligned"),
        ("crooked_target", "not 16-byte aligned"),
        ("foreign_lane", "a lane that takes no part|not in the mask"),
        ("block_too_large", "size of the block"),
    ],
)
def test_mistakes_are_found(mistake, message):
    with pytest.raises(RuntimeError, match=message):
        getattr(emulated, f"check_{mistake}")()
    test_shuffles_shared_memory_and_barriers()  # and the next kernel runs as ever


# Of a ring that two blocks of a cluster fill for each other (csrc/platform/emulator/checks_cluster.cpp), and
# what is said; None: whatever, or the sums are wrong.
CLUSTER_MISTAKES = {
    "only its own block is told of free stages": "poll for what nobody does",
    "only its own block's stages are waited for": None,
    "barriers for too few": "more arrivals than it was made for|poll for what nobody does",
    "barriers for too many": "poll for what nobody does",
    "the other phase": None,
    "half of the bytes are waited for": None,
    "half of the bytes are copied": "poll for what nobody does",
    "nobody waits for the barriers to be made": "used before it was made",
    "nobody waits at the end": "has ended, and its shared memory",
    "a wait at another block's barrier": "another block's shared memory",
}


def cluster_sums(mistake, blocks=6, chunks=11):
    x = torch.randint(-1000, 1000, (chunks, 64), dtype=torch.int32)
    y = torch.zeros(blocks, 64, dtype=torch.int32)
    emulated.check_cluster(x.data_ptr(), y.data_ptr(), blocks, chunks, mistake)
    return torch.equal(y, x.sum(0, dtype=torch.int32).expand(blocks, 64))


@pytest.mark.parametrize("chunks", [1, 2, 3, 11])
@pytest.mark.parametrize("blocks", [2, 4, 6])
def test_blocks_of_a_cluster_copy_for_each_other(blocks, chunks):
    assert cluster_sums(0, blocks, chunks)


@pytest.mark.parametrize("mistake", CLUSTER_MISTAKES)
def test_mistakes_of_clusters_are_found(mistake):
    number, message = 1 + list(CLUSTER_MISTAKES).index(mistake), CLUSTER_MISTAKES[mistake]
    try:
        assert not cluster_sums(number) and message is None
    except RuntimeError as error:
        assert message is None or re.search(message, str(error)), error
    assert cluster_sums(0)  # and the next kernel runs as ever


def test_a_grid_is_a_whole_number_of_clusters():
    with pytest.raises(RuntimeError, match="no whole number of clusters"):
        cluster_sums(0, blocks=3)


def test_modules_are_loaded_side_by_side():
    try:
        cuda = importlib.import_module("deeplab_caffe._cuda")
    except ImportError:
        pytest.skip("no CUDA kernels here")
    assert cuda.TARGETS and not emulated.TARGETS
    assert cuda.Stream is not emulated.Stream


# 1 and 15 products of 2^-25; a float at 1 counts in steps of 2^-23.
SUM = """
import sys, torch
from deeplab_caffe import ops
x, w = torch.full((1, 16, 1, 1), 2.0**-12), torch.full((8, 16, 1, 1), 2.0**-13)
x[:, 0], w[:, 0] = 1, float(sys.argv[1])
with ops.emulated_cuda():
    for wgmma in (False, True):
        y = ops.tensor_core_conv(x, ops.pack_tensor_core(w), wgmma=wgmma, float_output=True)
        print(*{value / 2**-23 for value in (y.abs() - 1).flatten().tolist()})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bits", "first", "steps"),
    [
        ("2", 1, 3),  # 3.75, cut off
        ("1", 1, 0),  # each is below half a step
        ("0", 1, 0),
        (
            "2",
            -1,
            -4,
        ),  # of -1 + 3.75 quarters below 1, where steps are half as large: exact to 2^-25, cut off
    ],
)
def test_tensor_cores_align_and_cut_off(bits, first, steps):
    run = fresh.run("-c", SUM, first, env=os.environ | {"DEEPLAB_CAFFE_EMULATED_EXTRA_BITS": bits})
    assert run.returncode == 0, run.stderr
    assert set(map(float, run.stdout.split())) == {steps}
