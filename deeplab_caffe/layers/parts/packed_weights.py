"""A convolution's weights as our kernels read them, made once."""

from torch import Tensor

from ... import ops
from ...formats.file_blob import FileBlob
from ..parameters.parameter import Parameter
from ..parameters.weight_memory import Allocate


def of(weights: Parameter, groups: int, bf16: str, threads: int | None) -> Tensor:
    """Those of `ops.pack_weights`, or, for kernels in bf16, of `ops.pack_bf16_weights`."""
    shape = weights.shape
    if bf16:
        return weights.packed("bf16 pairs", lambda plain: ops.pack_bf16_weights(plain, threads))

    def load(blob: FileBlob, allocate: Allocate) -> Tensor:
        packed = allocate(ops.packed_weights_size(shape, groups))

        def read(file: int, offset: int) -> bool:
            return ops.read_packed_weights(file, offset, shape, packed, groups, threads)

        blob.read_with(read)
        return packed

    return weights.packed(
        ("conv", groups),
        lambda plain: ops.pack_weights(plain, groups),
        lambda packed: ops.unpack_weights(packed, shape, groups),
        load,
    )
