"""VGG-16 as DeepLab cuts it: stride 8 instead of 32, the last block atrous, fc6 and fc7 as convolutions."""

from .net_text import NetText, Word


def trunk(net: NetText, data: str, smooth: bool = False) -> str:
    """Convolution blocks 1 to 5: 512 channels at an eighth of the input's size.

    smooth: an average pooling at the end, which LargeFOV has.
    """
    blob = data
    for block, (convolutions, channels, stride, rate) in enumerate(
        ((2, 64, 2, 1), (2, 128, 2, 1), (3, 256, 2, 1), (3, 512, 1, 1), (3, 512, 1, 2)), start=1
    ):
        net.comment(f"Block {block}.")
        for i in range(1, convolutions + 1):
            blob = _convolution(net, f"{block}_{i}", "conv", blob, channels, 3, rate)
        blob = _pooling(net, f"pool{block}", "MAX", blob, stride)
    return _pooling(net, "pool5a", "AVE", blob, 1) if smooth else blob


def head(net: NetText, features: str, rate: int, labels: Word, scores: str, branch: str = "") -> str:
    """fc6 (3x3, atrous), fc7, and the scores; `branch` ("_1") tells the branches of ASPP apart."""
    blob = features
    for name, kernel in (("6", 3), ("7", 1)):
        blob = _convolution(net, name + branch, "fc", blob, 1024, kernel, rate if kernel > 1 else 1)
        net.layer(f"drop{name}{branch}", "Dropout", blob, blob, dropout_param={"dropout_ratio": 0.5})
    return net.layer(
        scores + branch, "Convolution", blob, convolution_param={"num_output": labels, "kernel_size": 1}
    )


def _pooling(net: NetText, name: str, kind: str, bottom: str, stride: int) -> str:
    window = {"pool": Word(kind), "kernel_size": 3, "stride": stride, "pad": 1}
    return net.layer(name, "Pooling", bottom, pooling_param=window)


def _convolution(
    net: NetText, name: str, prefix: str, bottom: str, channels: int, kernel: int, rate: int
) -> str:
    """A convolution that keeps the size, and its ReLU."""
    geometry = {"num_output": channels, "kernel_size": kernel}
    if kernel > 1:
        geometry["pad"] = rate * (kernel // 2)
    if rate > 1:
        geometry["dilation"] = rate
    top = net.layer(prefix + name, "Convolution", bottom, convolution_param=geometry)
    return net.layer(f"relu{name}", "ReLU", top, top)
