"""A fully connected layer's sums, in the canonical reduction order."""

from torch import Tensor

from ... import ops
from ..parameters.parameter import Parameter


def linear(
    x: Tensor, weights: Parameter, bias: Parameter | None = None, threads: int | None = None
) -> Tensor:
    """x (rows, inputs) times weights (outputs, inputs), plus bias (outputs): (rows, outputs), float32."""
    outputs, inputs = weights.shape
    shape = (outputs, inputs, 1, 1)

    def unpack(packed: Tensor) -> Tensor:
        return ops.unpack_weights(packed, shape).view(outputs, inputs).contiguous()

    packed = weights.packed("linear", lambda plain: ops.pack_weights(plain.contiguous().view(shape)), unpack)
    epilogue = [ops.epilogue.Bias(bias.values())] if bias is not None else []
    columns = x.t().contiguous().view(1, inputs, 1, -1)
    y = ops.atrous_conv(columns, packed, epilogue=epilogue, packed_shape=shape, threads=threads)
    return y.view(outputs, -1).t().contiguous()
