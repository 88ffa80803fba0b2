"""Values for tests of kernels, and what it means that two results are the same."""

import torch


def normal(*shape, seed=0):
    """Normal values, for a shape and a seed always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def same_bits(a, b):
    return a.shape == b.shape and torch.equal(
        a.contiguous().view(torch.int32), b.contiguous().view(torch.int32)
    )
