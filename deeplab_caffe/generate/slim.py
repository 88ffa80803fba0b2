"""Layers in the groups and with the names of TF-Slim, in which DeepLab v3 and v3+ were published.

The layer that has the variables of scope S is called S, its batch normalisation S/BatchNorm and
S/BatchNorm/scale (two layers in Caffe), its activation S/relu; the blob that all of them leave is S, too.
"""

from .net_text import NetText, Word


class Slim:
    """Adds groups of layers to `net`. epsilon: of batch normalisation; bound: ReLU's upper end (6: ReLU6).

    same_padding: strided convolutions pad as TensorFlow's SAME, else as much at both ends; only even sizes
    tell the difference.
    """

    def __init__(
        self, net: NetText, epsilon: float = 1e-5, bound: float | None = None, same_padding: bool = False
    ) -> None:
        self.net = net
        self.epsilon = epsilon
        self.bound = bound
        self.same_padding = same_padding

    def convolution(
        self,
        scope: str,
        bottom: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        rate: int = 1,
        relu: bool = True,
    ) -> str:
        """A convolution that keeps the size (over `stride`), batch normalisation, activation if `relu`."""
        fields = {"num_output": channels, **self._window(kernel, stride, rate)}
        return self._normalized(scope, bottom, fields, relu)

    def depthwise(
        self, scope: str, bottom: str, channels: int, stride: int = 1, rate: int = 1, relu: bool = True
    ) -> str:
        """The same with a 3x3 convolution of each of the `channels` by itself."""
        fields = {"num_output": channels, **self._window(3, stride, rate), "group": channels}
        return self._normalized(scope, bottom, fields, relu)

    def relu(self, name: str, bottom: str, top: str = "") -> str:
        """The activation; without `top` the blob is called like the layer."""
        if self.bound is None:
            return self.net.layer(name, "ReLU", bottom, top)
        return self.net.layer(name, "Clip", bottom, top, clip_param={"min": 0, "max": self.bound})

    def add(self, scope: str, first: str, second: str) -> str:
        """The sum of two blobs."""
        return self.net.layer(scope, "Eltwise", (first, second), eltwise_param={"operation": Word("SUM")})

    def _window(self, kernel: int, stride: int, rate: int) -> dict[str, object]:
        fields: dict[str, object] = {"kernel_size": kernel}
        if kernel > 1:
            fields |= (
                {"same_pad": True} if self.same_padding and stride > 1 else {"pad": rate * (kernel // 2)}
            )
        if stride > 1:
            fields["stride"] = stride
        if rate > 1:
            fields["dilation"] = rate
        return fields

    def _normalized(self, scope: str, bottom: str, fields: dict[str, object], relu: bool) -> str:
        fields = {**fields, "bias_term": False}
        blob = self.net.layer(scope, "Convolution", bottom, convolution_param=fields)
        statistics = {"use_global_stats": True, "eps": self.epsilon}
        self.net.layer(f"{scope}/BatchNorm", "BatchNorm", blob, blob, batch_norm_param=statistics)
        self.net.layer(f"{scope}/BatchNorm/scale", "Scale", blob, blob, scale_param={"bias_term": True})
        return self.relu(f"{scope}/relu", blob, blob) if relu else blob


class Strides:
    """Which units of a backbone are strided and which, once the output stride is reached, atrous."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._stride = 1
        self._rate = 1

    def place(self, stride: int) -> tuple[int, int]:
        """Stride and rate of the next unit, whose own stride is `stride`.

        The unit that loses its stride still has the rate of those before it; the following ones are dilated.
        """
        if self._stride < self._target:
            self._stride *= stride
            return stride, 1
        rate = self._rate
        self._rate *= stride
        return 1, rate
