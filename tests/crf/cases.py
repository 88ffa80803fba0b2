"""The original program's CRF: stored cases, small ones and, where they are, large ones."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

GOLDEN = Path(__file__).parents[1] / "golden/crf"
REFERENCE = (
    Path(os.environ.get("DEEPLAB_CAFFE_REFERENCE") or Path(__file__).parents[3] / "shared/reference") / "crf"
)
PARAMETERS = {"pos_std": "pos_xy_std", "pos_w": "pos_w"} | {n: n for n in ("bi_xy_std", "bi_rgb_std", "bi_w")}


def load(folder):
    case = json.loads((folder / "expected.json").read_text())
    low, cell = np.load(folder / "unary_low.npy"), case["cell"]
    unary = np.repeat(np.repeat(low, cell, 0), cell, 1)[: case["height"], : case["width"]]
    image = np.asarray(Image.open(folder / "image.png").convert("RGB"))
    return case, np.ascontiguousarray(unary), image


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def problem(height=9, width=11, labels=4, seed=0):
    """An image (height, width, 3) and energies (height, width, labels) without a meaning."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (height, width, 3), np.uint8)
    return image, generator.random((height, width, labels), np.float32) * 4
