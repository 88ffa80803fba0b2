"""Convolutions for the tensor-core kernels: which kernels there are, random shapes."""

from deeplab_caffe import ops

PRECISIONS = tuple(ops.TENSOR_CORE_DTYPES)


KERNELS = [(precision, *shape) for precision in PRECISIONS for shape in ops.tensor_core_shapes(precision)]


def random_case(rng, largest, any_channels=True):
    """Shapes and geometry of a convolution that has an output."""
    while True:
        groups = rng.choice([1, 1, 1, 2, 3])
        per_group, out = (
            rng.choice([1, 3, 8, 20, 32, 64, 72, 128]),
            rng.choice([1, 5, 21, 32, 40, 130] if any_channels else [8, 32, 40, 136]),
        )
        kernel = rng.choice([(1, 1), (3, 3), (3, 3), (4, 4), (2, 3), (5, 1)])
        dilation = rng.randint(1, largest // 2), rng.randint(1, largest // 2)
        stride, pad = (
            (rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 2])),
            (rng.randint(0, 9), rng.randint(0, 9)),
        )
        size = rng.randint(1, largest), rng.randint(1, largest)
        if all(ops.convolved_size(size[i], kernel[i], stride[i], pad[i], dilation[i]) >= 1 for i in range(2)):
            x = (rng.choice([1, 1, 2, 3]), groups * per_group, *size)
            return x, (groups * out, per_group, *kernel), stride, pad, dilation, groups
