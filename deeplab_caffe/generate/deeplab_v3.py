"""The nets of DeepLab v3 and v3+, with the names of the published TensorFlow checkpoints.

Chen, Papandreou, Schroff, Adam: Rethinking Atrous Convolution, arXiv:1706.05587 (v3); Chen, Zhu, Papandreou,
Schroff, Adam: Encoder-Decoder with Atrous Separable Convolution, arXiv:1802.02611 (v3+).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..errors import DeepLabError
from ..types import Pair
from . import mobilenet_v2, resnet_beta, xception
from .net_text import NetText, Word
from .slim import Slim

CHANNELS = 256  # of the head's and the decoder's convolutions
LOW_LEVEL_CHANNELS = 48
OUTPUT_STRIDES = (8, 16, 32)
SIZE = (513, 513)
LIMIT = 1 << 16  # of sizes, rates and classes: beyond lie only mistakes

PAPERS = {
    "v3": "Chen, Papandreou, Schroff, Adam: Rethinking Atrous Convolution for Semantic Image Segmentation "
    "(arXiv:1706.05587).",
    "v3+": "Chen, Zhu, Papandreou, Schroff, Adam: Encoder-Decoder with Atrous Separable Convolution for "
    "Semantic Image Segmentation (arXiv:1802.02611).",
}

Features = Callable[..., tuple[str, str, int]]


@dataclass(frozen=True)
class Backbone:
    """How a backbone is called, written, and what it has where nothing else is asked for.

    multi_grid: factors of the rates of the last block's three units, () where it has none of it; atrous:
    whether the head has 3x3 convolutions.
    """

    title: str
    features: Features
    multi_grid: tuple[int, ...] = ()
    atrous: bool = True


BACKBONES = {
    "resnet_v1_50_beta": Backbone("ResNet-50", partial(resnet_beta.features, depth=50), (1, 2, 4)),
    "resnet_v1_101_beta": Backbone("ResNet-101", partial(resnet_beta.features, depth=101), (1, 2, 4)),
    "xception_41": Backbone("Xception-41", partial(xception.features, depth=41), (1, 1, 1)),
    "xception_65": Backbone("Xception-65", partial(xception.features, depth=65), (1, 1, 1)),
    "xception_71": Backbone("Xception-71", partial(xception.features, depth=71), (1, 1, 1)),
    "mobilenet_v2": Backbone("MobileNet v2", mobilenet_v2.features, atrous=False),
}


class DeepLabV3:
    """One net of the family; with decoder (4, the stride of its low-level features) v3+, with 0 v3.

    rates: of the head's 3x3 convolutions, None for 6, 12, 18 at output stride 16 and in proportion at others
    (mobilenet_v2: none). multi_grid: None for the backbone's own. separable: whether head and decoder have
    depthwise separable 3x3 convolutions, None for v3+ only. size: (height, width) of the deploy net's input;
    the net runs at any other, too. Raises DeepLabError for what does not fit together.
    """

    def __init__(
        self,
        backbone: str,
        output_stride: int = 16,
        rates: tuple[int, ...] | None = None,
        multi_grid: tuple[int, ...] | None = None,
        decoder: int = 0,
        separable: bool | None = None,
        classes: int = 21,
        size: Pair = SIZE,
    ) -> None:
        if backbone not in BACKBONES:
            raise DeepLabError(f"backbone: {backbone} given, one of {', '.join(BACKBONES)} wanted")
        if output_stride not in OUTPUT_STRIDES:
            raise DeepLabError(f"output stride: {output_stride} given, 8, 16 or 32 wanted")
        if decoder not in (0, 4):
            raise DeepLabError(f"decoder: {decoder} given, 4 wanted, or 0 for none")
        own = BACKBONES[backbone]
        usual = tuple(factor * 96 // output_stride for factor in (1, 2, 3)) if own.atrous else ()
        self.backbone, self.output_stride, self.decoder = backbone, output_stride, decoder
        self.rates = usual if rates is None else rates
        self.multi_grid = own.multi_grid if multi_grid is None else multi_grid
        self.separable = bool(decoder) if separable is None else separable
        self.classes, self.size = classes, size
        if len(self.multi_grid) != len(own.multi_grid):
            wanted = f"{len(own.multi_grid) or 'no'} numbers"
            raise DeepLabError(f"multi-grid: {len(self.multi_grid)} given, {backbone} wants {wanted}")
        for field, numbers in (
            ("rates", self.rates),
            ("multi-grid", self.multi_grid),
            ("classes", (self.classes,)),
            ("size", self.size),
        ):
            if not all(1 <= number < LIMIT for number in numbers):
                text = ", ".join(map(str, numbers))
                raise DeepLabError(f"{field}: {text} given, numbers from 1 to {LIMIT - 1} wanted")

    @property
    def family(self) -> str:
        """The folder under prototxt/ of nets of this kind."""
        return "deeplab_v3plus" if self.decoder else "deeplab_v3"

    def deploy(self) -> str:
        """The prototxt, with an image as input and the blobs `logits` and `upsampled_logits`."""
        backbone = BACKBONES[self.backbone]
        version = "v3+" if self.decoder else "v3"
        net = NetText(self._comment(version, backbone), name=f"DeepLab-{version}-{self.backbone}")
        net.layer(
            "data",
            "Input",
            (),
            "data",
            input_param={"shape": {"dim": [1, 3, *self.size]}},
            transform_param={"mean_value": 127.5, "scale": 1 / 127.5, "channel_order": Word("RGB")},
        )
        options = {"multi_grid": self.multi_grid} if backbone.multi_grid else {}
        low, high, channels = backbone.features(net, "data", output_stride=self.output_stride, **options)
        slim = Slim(net, epsilon=1e-5)
        blob = self._head(slim, high, channels)
        if self.decoder:
            blob = self._decoder(slim, low, blob)
        net.comment("Scores.")
        scores = {"num_output": self.classes, "kernel_size": 1}
        net.layer("logits/semantic", "Convolution", blob, "logits", convolution_param=scores)
        net.layer("upsampled_logits", "Interp", ("logits", "data"))
        return str(net)

    def _comment(self, version: str, backbone: Backbone) -> str:
        kind = "separable convolutions" if self.separable else "convolutions"
        head = "the head has image pooling and a 1x1 convolution"
        if self.rates:
            head += f", and 3x3 {kind} of rates {', '.join(map(str, self.rates))}"
        grid = f", multi-grid {', '.join(map(str, self.multi_grid))}" if set(self.multi_grid) - {1} else ""
        decoder = f", decoder at stride {self.decoder}" if self.decoder else ""
        return (
            f"DeepLab {version}, {backbone.title}: output stride {self.output_stride}{grid}{decoder}; "
            f"{head}.\n"
            f"{PAPERS[version]}\n\n"
            "Input: RGB between -1 and 1, of any size. Scores: `logits` at "
            f"stride {self.decoder or self.output_stride}, `upsampled_logits` as large as the input."
        )

    def _head(self, slim: Slim, features: str, channels: int) -> str:
        """Atrous spatial pyramid pooling, with the mean of the whole map as one more branch."""
        net = slim.net
        net.comment("Atrous spatial pyramid pooling.")
        whole = {"pool": Word("AVE"), "global_pooling": True}
        pooled = net.layer("image_pool_avg", "Pooling", features, pooling_param=whole)
        pooled = slim.convolution("image_pooling", pooled, CHANNELS)
        branches = [net.layer("image_pooling_resized", "Interp", (pooled, features))]
        branches.append(slim.convolution("aspp0", features, CHANNELS))
        for i, rate in enumerate(self.rates, start=1):
            if self.separable:
                depthwise = slim.depthwise(f"aspp{i}_depthwise", features, channels, rate=rate)
                branches.append(slim.convolution(f"aspp{i}_pointwise", depthwise, CHANNELS))
            else:
                branches.append(slim.convolution(f"aspp{i}", features, CHANNELS, 3, rate=rate))
        blob = net.layer("aspp_concat", "Concat", branches)
        blob = slim.convolution("concat_projection", blob, CHANNELS)
        return net.layer(
            "concat_projection/dropout", "Dropout", blob, blob, dropout_param={"dropout_ratio": 0.1}
        )

    def _decoder(self, slim: Slim, low: str, high: str) -> str:
        """Head and low-level features together, at the latter's stride."""
        net = slim.net
        net.comment("Decoder.")
        projected = slim.convolution("decoder/feature_projection0", low, LOW_LEVEL_CHANNELS)
        enlarged = net.layer("decoder/aspp_upsampled", "Interp", (high, projected))
        blob = net.layer("decoder/concat", "Concat", (enlarged, projected))
        if not self.separable:
            for i in (1, 2):
                blob = slim.convolution(f"decoder/decoder_conv0/decoder_conv0_{i}", blob, CHANNELS, 3)
            return blob
        for i, channels in enumerate((CHANNELS + LOW_LEVEL_CHANNELS, CHANNELS)):
            blob = slim.depthwise(f"decoder/decoder_conv{i}_depthwise", blob, channels)
            blob = slim.convolution(f"decoder/decoder_conv{i}_pointwise", blob, CHANNELS)
        return blob


FAMILY = (
    DeepLabV3("resnet_v1_50_beta"),
    DeepLabV3("resnet_v1_101_beta"),
    DeepLabV3("mobilenet_v2"),
    *(DeepLabV3(name, decoder=4) for name in ("xception_41", "xception_65", "xception_71")),
    DeepLabV3("resnet_v1_101_beta", decoder=4),
    DeepLabV3("mobilenet_v2", decoder=4),
)
