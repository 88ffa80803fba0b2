"""Weights for nets that have none: to measure, and to try what does not depend on them."""

import torch

from .net import Net


def random_weights(net: Net, seed: int = 0) -> None:
    """Fills the parameters so that values keep their size from layer to layer (zeros would be too fast)."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    for layer in net.layers:
        for i, blob in enumerate(layer.blobs):
            drawn = torch.randn(blob.shape, generator=generator)
            if layer.type == "BN":  # scale or slope, shift or bias, and PSPNet's mean and variance
                blob.data = (1 + 0.1 * drawn, 0.1 * drawn, 0.1 * drawn, 0.5 + drawn.abs())[i]
            elif len(blob.shape) == 4 and blob.shape[:3] != (1, 1, 1):
                blob.data = drawn * (2.0 / (blob.count / blob.shape[0])) ** 0.5
            elif layer.type == "BatchNorm":
                blob.data = (0.1 * drawn, 0.5 + drawn.abs(), torch.ones(blob.shape))[i]
            else:
                blob.data = 1 + 0.1 * drawn if layer.type == "Scale" and i == 0 else 0.1 * drawn
