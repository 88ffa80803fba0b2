"""Layers in the groups and with the names of PyTorch's modules.

The layer that has the parameters of module M is called M; a batch normalisation is M and M/scale (two layers
in Caffe). Activations are called after the module before them.
"""

from ..types import Pair
from .net_text import NetText, Word

ACTIVATIONS = {"relu": "ReLU", "hardswish": "HardSwish"}
MEAN = [123.675, 116.28, 103.53]  # R, G, B of ImageNet, as torchvision gives them, times 255
STD = [58.395, 57.12, 57.375]
CHANNELS = 256  # of the head's convolutions


class Torch:
    """Adds groups of layers to `net`. epsilon: of batch normalisation; act: the activation."""

    def __init__(self, net: NetText, epsilon: float = 1e-5, act: str = "relu") -> None:
        self.net = net
        self.epsilon = epsilon
        self.act = act

    def input(self, size: Pair) -> str:
        """The image, RGB, of mean 0 and deviation 1 on ImageNet."""
        return self.net.layer(
            "data",
            "Input",
            (),
            "data",
            input_param={"shape": {"dim": [1, 3, *size]}},
            transform_param={"mean_value": MEAN, "std_value": STD, "channel_order": Word("RGB")},
        )

    def convolution(
        self,
        module: str,
        bottom: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        rate: int = 1,
        group: int = 1,
        bias: bool = False,
        top: str = "",
    ) -> str:
        """A convolution that keeps the size (over `stride`)."""
        fields: dict[str, object] = {"num_output": channels, "kernel_size": kernel}
        if kernel > 1:
            fields["pad"] = rate * (kernel // 2)
        for field, value in (("stride", stride), ("dilation", rate), ("group", group)):
            if value > 1:
                fields[field] = value
        if not bias:
            fields["bias_term"] = False
        return self.net.layer(module, "Convolution", bottom, top, convolution_param=fields)

    def norm(self, module: str, blob: str, act: bool = True) -> str:
        """Batch normalisation, in place, and the activation if `act`."""
        statistics = {"use_global_stats": True, "eps": self.epsilon}
        self.net.layer(module, "BatchNorm", blob, blob, batch_norm_param=statistics)
        self.net.layer(f"{module}/scale", "Scale", blob, blob, scale_param={"bias_term": True})
        return self.activation(module, blob) if act else blob

    def activation(self, module: str, blob: str) -> str:
        """The activation behind `module`, in place."""
        return self.net.layer(f"{module}/{self.act}", ACTIVATIONS[self.act], blob, blob)

    def sequence(
        self,
        module: str,
        bottom: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        rate: int = 1,
        group: int = 1,
        act: bool = True,
        first: int = 0,
    ) -> str:
        """Convolution, batch normalisation, activation: numbers `first`, `first` + 1, ... of a Sequential."""
        blob = self.convolution(f"{module}.{first}", bottom, channels, kernel, stride, rate, group)
        return self.norm(f"{module}.{first + 1}", blob, act)

    def add(self, module: str, first: str, second: str) -> str:
        """The sum of two blobs."""
        return self.net.layer(module, "Eltwise", (first, second), eltwise_param={"operation": Word("SUM")})

    def pooled(self, module: str, bottom: str) -> str:
        """The mean of each channel, as a map of one pixel."""
        whole = {"pool": Word("AVE"), "global_pooling": True}
        return self.net.layer(f"{module}/avgpool", "Pooling", bottom, pooling_param=whole)

    def concatenated(self, module: str, features: str, branches: list[str]) -> str:
        """Atrous spatial pyramid pooling behind its branches: image pooling last, then the projection."""
        pooled = self.pooled(f"{module}.convs.{len(branches)}", features)
        pooled = self.sequence(f"{module}.convs.{len(branches)}", pooled, CHANNELS, first=1)
        resized = self.net.layer(f"{module}.convs.{len(branches)}", "Interp", (pooled, features))
        blob = self.net.layer(f"{module}/concat", "Concat", [*branches, resized])
        blob = self.sequence(f"{module}.project", blob, CHANNELS)
        dropout = {"dropout_ratio": 0.5}
        return self.net.layer(f"{module}.project.3", "Dropout", blob, blob, dropout_param=dropout)
