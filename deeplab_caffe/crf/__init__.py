"""The dense CRF: fully connected, with Gaussian pairwise terms on a permutohedral lattice."""

import importlib
from typing import Any

from ..deprecation import warn_renamed

# What `from deeplab_caffe.crf import ...` gives, by module; loaded when first used, so that the command line
# can name parameters without numpy.
_PUBLIC = {
    "CRFParameters": "parameters",
    "DenseCRF": "dense_crf",
    "Iteration": "dense_crf",
    "Kind": "energies",
    "energies_of": "energies",
    "image_crf": "refinement",
    "refine": "refinement",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name == "Step":
        warn_renamed("deeplab_caffe.crf.Step", "Iteration", stacklevel=3)
        name = "Iteration"
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
