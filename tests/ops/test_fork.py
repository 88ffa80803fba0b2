"""Forked children compute after their parent has: pools of processes, torch's DataLoader."""

import pytest

from tests import fresh

CRF = """
import numpy as np
from deeplab_caffe.crf import DenseCRF

def compute(seed):
    crf = DenseCRF(40, 30, 4, threads=2)
    crf.gaussian(3, 3)
    crf.unary(np.random.default_rng(seed).random((40, 30, 4), dtype=np.float32))
    return np.asarray(crf.infer(3)).tobytes()
"""
NET = """
import torch
from deeplab_caffe import Net
from deeplab_caffe.engine.random_weights import random_weights

torch.set_num_threads(2)
net = Net("camvid_largefov")
random_weights(net)

def compute(seed):
    image = torch.randn(1, 3, 65, 65, generator=torch.Generator().manual_seed(seed))
    return net(image).numpy().tobytes()
"""
POOL = """
import multiprocessing
if __name__ == "__main__":
    own = [compute(seed) for seed in range(4)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(compute, range(4)) == own
    assert [compute(seed) for seed in range(4)] == own
"""
LOADER = """
import torch
if __name__ == "__main__":
    own = [compute(seed) for seed in range(4)]
    class Images(torch.utils.data.Dataset):
        def __len__(self): return 4
        def __getitem__(self, seed): return compute(seed)
    loader = torch.utils.data.DataLoader(Images(), 1, num_workers=2, collate_fn=lambda batch: batch[0])
    assert list(loader) == own
"""


@pytest.mark.slow
@pytest.mark.parametrize("work", [CRF, NET], ids=["crf", "net"])
@pytest.mark.parametrize("workers", [POOL, LOADER], ids=["pool", "loader"])
def test_children_of_a_fork_compute_the_same_bits(work: str, workers: str) -> None:
    # Hanging for ever is what happens where the parent's threads are waited for.
    done = fresh.run("-c", work + workers, timeout=240)
    assert done.returncode == 0, done.stderr
