"""TensorFlow's SAME padding, for the layers that have `same_pad`."""


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Padding before and behind `size` positions for ceil(size / stride) windows; an odd one goes behind.

    A symmetric padding cannot do that for even sizes and stride 2: it would shift where the windows lie.
    """
    reach = (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1
    padding = max(reach - size, 0)
    return padding // 2, padding - padding // 2
