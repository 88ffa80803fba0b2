"""DeepLab v3 and v3+ with the names of two PyTorch packages, torchvision and segmentation_models_pytorch.

Their ResNets begin with one 7x7 convolution, and unlike the published nets the head's image pooling comes
last. torchvision's v3 aligns pixels, not corners, when it enlarges the scores; the other's (smp) v3+ has no
normalisation between the parts of a separable convolution.
"""

from dataclasses import dataclass

from ..errors import DeepLabError
from ..types import Pair
from . import mobilenet_v3, torch_resnet
from .deeplab_v3 import LIMIT, LOW_LEVEL_CHANNELS, SIZE
from .net_text import NetText
from .torch_units import CHANNELS, Torch

BACKBONES = {"torchvision": ("resnet50", "resnet101", "mobilenet_v3_large"), "smp": ("resnet50", "resnet101")}
# Of ResNet's four layers, by output stride: strides, rates.
STRIDES = {8: (1, 2, 1, 1), 16: (1, 2, 2, 1)}
RATES = {8: (1, 1, 2, 4), 16: (1, 1, 1, 2)}
HEAD_RATES = (12, 24, 36)


@dataclass(frozen=True)
class TorchDeepLab:
    """One net. package: "torchvision" (v3; output stride 8, mobilenet_v3_large 16) or "smp" (v3+).

    output_stride: for smp, 8 or 16; rates: of the head's 3x3 convolutions; size: (height, width) of the
    deploy net's input, the net runs at any other, too. Raises DeepLabError for what there is not.
    """

    package: str
    backbone: str
    output_stride: int = 0
    rates: tuple[int, ...] = HEAD_RATES
    classes: int = 21
    size: Pair = SIZE

    def __post_init__(self) -> None:
        if self.package not in BACKBONES:
            raise DeepLabError(f"package: {self.package} given, {' or '.join(BACKBONES)} wanted")
        if self.backbone not in BACKBONES[self.package]:
            known = ", ".join(BACKBONES[self.package])
            raise DeepLabError(f"backbone: {self.backbone} given, {self.package} has {known}")
        strides = {"torchvision": (16 if self.mobile else 8,), "smp": (16, 8)}[self.package]
        if not self.output_stride:
            object.__setattr__(self, "output_stride", strides[0])
        if self.output_stride not in strides:
            wanted = " or ".join(map(str, strides))
            raise DeepLabError(f"output stride: {self.output_stride} given, {self.backbone} has {wanted}")
        for field, numbers in (("rates", self.rates), ("classes", (self.classes,)), ("size", self.size)):
            if not all(1 <= number < LIMIT for number in numbers):
                text = ", ".join(map(str, numbers))
                raise DeepLabError(f"{field}: {text} given, numbers from 1 to {LIMIT - 1} wanted")

    @property
    def mobile(self) -> bool:
        """Whether the backbone is no ResNet."""
        return self.backbone == "mobilenet_v3_large"

    @property
    def family(self) -> str:
        """The folder under prototxt/ of nets of this kind."""
        return "deeplab_v3" if self.package == "torchvision" else "deeplab_v3plus"

    @property
    def name(self) -> str:
        """The net's own folder."""
        return f"{self.package}_{self.backbone}"

    def deploy(self) -> str:
        """The prototxt, with an image as input and the blobs `logits` and `upsampled_logits`."""
        version = "v3" if self.package == "torchvision" else "v3+"
        rates = f"rates {', '.join(map(str, self.rates))}" if self.rates else "no atrous convolutions"
        comment = (
            f"DeepLab {version} of {self.package}, {self.backbone}: output stride {self.output_stride}, "
            f"{rates}.\n\n"
            "Input: RGB minus ImageNet's mean over its deviation, of any size. Scores: `logits`, and "
            "`upsampled_logits` as large as the input."
        )
        net = NetText(comment, name=f"DeepLab-{version}-{self.name}")
        torch = Torch(net)
        data = torch.input(self.size)
        if self.package == "torchvision":
            self._torchvision(torch, data)
        else:
            self._smp(torch, data)
        return str(net)

    def _torchvision(self, torch: Torch, data: str) -> None:
        net = torch.net
        if self.mobile:
            blob = mobilenet_v3.features(torch, "backbone", data)
        else:
            # The first unit without its stride still has the rate of the layer before.
            before = (1, *RATES[8][:-1])
            _, blob = torch_resnet.features(
                torch, "backbone", data, self.backbone, STRIDES[8], before, RATES[8]
            )
        net.comment("Atrous spatial pyramid pooling.")
        module, features = "classifier.0", blob
        branches = [torch.sequence(f"{module}.convs.0", features, CHANNELS)]
        for i, rate in enumerate(self.rates, start=1):
            branches.append(torch.sequence(f"{module}.convs.{i}", features, CHANNELS, 3, rate=rate))
        blob = torch.concatenated(module, features, branches)
        net.comment("Scores.")
        blob = torch.sequence("classifier", blob, CHANNELS, 3, first=1)
        torch.convolution("classifier.4", blob, self.classes, bias=True, top="logits")
        centres = {"align_corners": False}
        net.layer("upsampled_logits", "Interp", ("logits", data), interp_param=centres)

    def _smp(self, torch: Torch, data: str) -> None:
        net, rates = torch.net, RATES[self.output_stride]
        low, features = torch_resnet.features(
            torch, "encoder", data, self.backbone, STRIDES[self.output_stride], rates, rates
        )
        net.comment("Atrous spatial pyramid pooling.")
        module, channels = "decoder.aspp.0", 4 * torch_resnet.INNER[-1]
        branches = [torch.sequence(f"{module}.convs.0", features, CHANNELS)]
        for i, rate in enumerate(self.rates, start=1):
            branch = _separable(torch, f"{module}.convs.{i}.0", features, channels, rate)
            branches.append(torch.norm(f"{module}.convs.{i}.1", branch))
        blob = torch.concatenated(module, features, branches)
        blob = torch.norm("decoder.aspp.2", _separable(torch, "decoder.aspp.1", blob, CHANNELS))
        net.comment("Decoder.")
        projected = torch.sequence("decoder.block1", low, LOW_LEVEL_CHANNELS)
        enlarged = net.layer("decoder.up", "Interp", (blob, projected))
        blob = net.layer("decoder/concat", "Concat", (enlarged, projected))
        blob = _separable(torch, "decoder.block2.0", blob, CHANNELS + LOW_LEVEL_CHANNELS)
        blob = torch.norm("decoder.block2.1", blob)
        net.comment("Scores.")
        torch.convolution("segmentation_head.0", blob, self.classes, bias=True, top="logits")
        net.layer("upsampled_logits", "Interp", ("logits", data))


def _separable(torch: Torch, module: str, bottom: str, channels: int, rate: int = 1) -> str:
    """A 3x3 convolution of each channel, then a 1x1 one, with nothing between."""
    blob = torch.convolution(f"{module}.0", bottom, channels, 3, rate=rate, group=channels)
    return torch.convolution(f"{module}.1", blob, CHANNELS)


FAMILY = tuple(TorchDeepLab(package, name) for package, names in BACKBONES.items() for name in names)
