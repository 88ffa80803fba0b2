"""The dense CRF: fully connected, with Gaussian pairwise terms on a permutohedral lattice."""

from .dense_crf import DenseCRF, Step
from .energies import Kind, energies_of
from .refinement import image_crf, refine

__all__ = ["DenseCRF", "Kind", "Step", "energies_of", "image_crf", "refine"]
