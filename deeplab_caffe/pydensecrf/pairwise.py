"""What pydensecrf calls a kernel's type and its normalisation.

Kernels learn nothing here, so CONST_KERNEL, DIAG_KERNEL and FULL_KERNEL, which differ in what can be learned,
give the same result.
"""

from enum import IntEnum

from ..crf.lattice import Normalization


class KernelType(IntEnum):
    """What of a kernel's precision matrix could be learned."""

    CONST_KERNEL = 0
    DIAG_KERNEL = 1
    FULL_KERNEL = 2


class NormalizationType(IntEnum):
    """Where a kernel is normalised."""

    NO_NORMALIZATION = 0
    NORMALIZE_BEFORE = 1
    NORMALIZE_AFTER = 2
    NORMALIZE_SYMMETRIC = 3


CONST_KERNEL, DIAG_KERNEL, FULL_KERNEL = KernelType
NO_NORMALIZATION, NORMALIZE_BEFORE, NORMALIZE_AFTER, NORMALIZE_SYMMETRIC = NormalizationType

# As deeplab_caffe.crf names them.
NORMALIZATIONS: dict[int, Normalization] = {
    NO_NORMALIZATION: "none",
    NORMALIZE_BEFORE: "before",
    NORMALIZE_AFTER: "after",
    NORMALIZE_SYMMETRIC: "symmetric",
}
