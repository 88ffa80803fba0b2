"""Colour maps of label images, as (labels, 3) RGB bytes."""

import numpy as np

from ..types import Bytes


def voc_palette(labels: int = 256) -> Bytes:
    """PASCAL VOC's colour map: a label's bits 0, 1, 2 lead red, green, blue, then bits 3, 4, 5.

    Returns (labels, 3) uint8, at most 256 labels. Label 0 is black, 255 (void) is (224, 224, 192).
    """
    if not 0 <= labels <= 256:
        raise ValueError(f"labels: {labels}; 0 to 256 wanted")
    label = np.arange(labels)[:, None]
    channel = np.arange(3)[None, :]
    colours = np.zeros((labels, 3), np.uint8)
    for step in range(8):
        bit = (label >> (3 * step + channel)) & 1
        colours |= (bit << (7 - step)).astype(np.uint8)
    return colours
