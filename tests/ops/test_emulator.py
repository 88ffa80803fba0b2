"""The host emulator of CUDA kernels: it computes what a GPU would, and finds what a GPU would trip over."""

import importlib

import pytest
import torch

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
        ("foreign_lane", "a lane that takes no part|not in the mask"),
        ("block_too_large", "size of the block"),
    ],
)
def test_mistakes_are_found(mistake, message):
    with pytest.raises(RuntimeError, match=message):
        getattr(emulated, f"check_{mistake}")()
    test_shuffles_shared_memory_and_barriers()  # and the next kernel runs as ever


def test_modules_are_loaded_side_by_side():
    try:
        cuda = importlib.import_module("deeplab_caffe._cuda")
    except ImportError:
        pytest.skip("no CUDA kernels here")
    assert cuda.TARGETS and not emulated.TARGETS
    assert cuda.Stream is not emulated.Stream
