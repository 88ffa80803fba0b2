"""The large reference nets: where they are, and their weights, which are drawn where they are not stored."""

import importlib.util
import os
from pathlib import Path

import pytest

REFERENCE = Path(
    os.environ.get("DEEPLAB_CAFFE_REFERENCE") or Path(__file__).parents[2] / "shared/reference"
).resolve()
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason=f"no {REFERENCE}")

LARGE = "v1_conv_sweep v2_conv_sweep v2_conv_sweep_65 v1_largefov_321 v1_largefov_513 v1_deeplab_306"
LARGE += " v1_msc_largefov_321 v2_vgg16_aspp_161 v2_resnet101_msc_161"
LARGE = LARGE.split()


def weights_of(case, folder):
    """The weights file of a case; where it is not stored, in the folder, which may have it already."""
    stored, drawn = REFERENCE / "nets" / case / "weights.caffemodel", folder / f"{case}.caffemodel"
    if stored.exists():
        return stored
    if not drawn.exists():
        spec = importlib.util.spec_from_file_location("recipe", REFERENCE / "recipe.py")
        recipe = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(recipe)
        unfinished = drawn.with_suffix(f".{os.getpid()}")
        recipe.build(REFERENCE / "nets" / case, unfinished)
        os.replace(unfinished, drawn)
    return drawn
