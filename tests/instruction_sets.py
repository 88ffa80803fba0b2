"""The instruction sets that a machine has beside its best, which is what tests run with."""

from deeplab_caffe import ops

SETS = ["portable", "avx2", "avx512"]


def lesser_sets():
    """Those below this process's, which one of its own has to be started for."""
    own = ops.isa()
    return SETS[: SETS.index(own)] if own in SETS else ["portable"]  # beside neon
