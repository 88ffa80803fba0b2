"""MobileNet v2: inverted residuals with ReLU6. Sandler et al., arXiv:1801.04381."""

from .net_text import NetText
from .slim import Slim, Strides

# Of each group of units: the factor by which channels grow inside, channels out, first stride, units.
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 2, 3),
    (6, 64, 2, 4),
    (6, 96, 1, 3),
    (6, 160, 2, 3),
    (6, 320, 1, 1),
)


def features(net: NetText, data: str, output_stride: int) -> tuple[str, str, int]:
    """All convolutions. Returns the decoder's blob, of stride 4, the last one, and the latter's channels."""
    slim = Slim(net, epsilon=1e-3, bound=6, same_padding=True)
    scope = "MobilenetV2"
    strides = Strides(output_stride)
    net.comment("Root.")
    blob = slim.convolution(f"{scope}/Conv", data, 32, 3, stride=strides.place(2)[0])
    channels, number = 32, 0
    for factor, outputs, first_stride, units in GROUPS:
        net.comment(f"{outputs} channels.")
        for unit in range(units):
            stride, rate = strides.place(first_stride if unit == 0 else 1)
            name = f"{scope}/expanded_conv{f'_{number}' if number else ''}"
            blob = _unit(slim, name, blob, channels, factor * channels, outputs, stride, rate)
            channels, number = outputs, number + 1
    return f"{scope}/expanded_conv_2/depthwise", blob, channels


def _unit(
    slim: Slim, scope: str, bottom: str, channels: int, inner: int, outputs: int, stride: int, rate: int
) -> str:
    """Widens the channels, convolves each, narrows them again, without an activation at the end."""
    blob = bottom
    if inner != channels:
        blob = slim.convolution(f"{scope}/expand", blob, inner)
    blob = slim.depthwise(f"{scope}/depthwise", blob, inner, stride, rate)
    blob = slim.convolution(f"{scope}/project", blob, outputs, relu=False)
    return slim.add(scope, bottom, blob) if stride == 1 and channels == outputs else blob
