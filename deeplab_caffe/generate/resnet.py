"""ResNet-101 as DeepLab v2 cuts it: stride 8 instead of 32, blocks 4 and 5 atrous."""

from .net_text import NetText, Word

# Of each block: its units, the channels inside one (four times as many leave it), first stride, rate.
BLOCKS = {2: (3, 64, 1, 1), 3: (4, 128, 2, 1), 4: (23, 256, 1, 2), 5: (3, 512, 1, 4)}


class ResNet:
    """Writes one trunk. suffix: of all names, where the net has a trunk for each scale.

    shared: parameters get names, the same for every suffix, so that the trunks have one set of them.
    """

    def __init__(self, net: NetText, suffix: str = "", shared: bool = False) -> None:
        self.net = net
        self.suffix = suffix
        self.shared = shared

    def trunk(self, data: str) -> str:
        """All convolutions: 2048 channels at an eighth of the input's size."""
        self.net.comment(f"Block 1{self._place()}.")
        blob = self._unit("conv1", "bn_conv1", "scale_conv1", data, 64, 7, stride=2)
        blob = self._relu("conv1", blob)
        pooling = {"pool": Word("MAX"), "kernel_size": 3, "stride": 2, "pad": 1}
        blob = self.net.layer(f"pool1{self.suffix}", "Pooling", blob, pooling_param=pooling)
        for block, (units, inner, stride, rate) in BLOCKS.items():
            self.net.comment(f"Block {block}{self._place()}.")
            for i in range(units):
                # Long blocks count b1, b2, ..., short ones b, c.
                letter = "a" if i == 0 else f"b{i}" if units > 3 else "abc"[i]
                blob = self._bottleneck(f"{block}{letter}", blob, inner, stride if i == 0 else 1, rate)
        return blob

    def head(self, features: str, rate: int, labels: Word, scores: str, branch: str = "") -> str:
        """The scores, from one atrous 3x3 convolution; `branch` ("_c0") tells those of ASPP apart."""
        geometry = {"num_output": labels, "kernel_size": 3, "pad": rate, "dilation": rate}
        names = [{"name": f"{scores}{branch}_{kind}"} for kind in "wb"] if self.shared else []
        return self.net.layer(
            scores + self.suffix + branch, "Convolution", features, param=names, convolution_param=geometry
        )

    def _bottleneck(self, name: str, bottom: str, inner: int, stride: int, rate: int) -> str:
        """1x1, 3x3 and 1x1 convolutions beside a shortcut, which in a block's first unit is a 1x1 one too."""
        shortcut = bottom
        if name.endswith("a"):
            shortcut = self._branch(f"{name}_branch1", bottom, 4 * inner, 1, stride)
        blob = bottom
        for part, channels, kernel in (("a", inner, 1), ("b", inner, 3), ("c", 4 * inner, 1)):
            branch = f"{name}_branch2{part}"
            blob = self._branch(branch, blob, channels, kernel, stride if part == "a" else 1, rate)
            if part != "c":
                blob = self._relu(f"res{branch}", blob)
        total = self.net.layer(f"res{name}{self.suffix}", "Eltwise", (shortcut, blob))
        return self._relu(f"res{name}", total)

    def _branch(
        self, name: str, bottom: str, channels: int, kernel: int, stride: int = 1, rate: int = 1
    ) -> str:
        return self._unit(f"res{name}", f"bn{name}", f"scale{name}", bottom, channels, kernel, stride, rate)

    def _unit(
        self,
        convolution: str,
        norm: str,
        scale: str,
        bottom: str,
        channels: int,
        kernel: int,
        stride: int = 1,
        rate: int = 1,
    ) -> str:
        """A convolution without bias, BatchNorm with the stored statistics, Scale."""
        geometry = {"num_output": channels, "kernel_size": kernel}
        if kernel > 1:
            geometry["pad"] = rate * (kernel // 2)
            if rate > 1:
                geometry["dilation"] = rate
        if stride > 1:
            geometry["stride"] = stride
        geometry["bias_term"] = False
        top = self._layer(convolution, "Convolution", bottom, "", 1, convolution_param=geometry)
        self._layer(norm, "BatchNorm", top, top, 3, batch_norm_param={"use_global_stats": True})
        return self._layer(scale, "Scale", top, top, 2, scale_param={"bias_term": True})

    def _relu(self, name: str, blob: str) -> str:
        return self._layer(f"{name}_relu", "ReLU", blob, blob, 0)

    def _layer(self, name: str, kind: str, bottom: str, top: str, parameters: int, **fields: object) -> str:
        names = [{"name": f"{name}_{i}"} for i in range(parameters)] if self.shared else []
        return self.net.layer(name + self.suffix, kind, bottom, top, param=names, **fields)

    def _place(self) -> str:
        return f" ({self.suffix[1:]})" if self.suffix else ""
