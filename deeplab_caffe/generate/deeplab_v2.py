"""The nets of DeepLab v2: VGG-16 and ResNet-101, LargeFOV and ASPP, one scale and three.

Chen, Papandreou, Kokkinos, Murphy, Yuille: DeepLab, PAMI 2017 (arXiv:1606.00915). Layers have the released
names, so that the released weights load.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DeepLabError
from ..images.preprocessing import MEAN
from . import vgg16
from .net_text import NetText, Word
from .resnet import ResNet
from .trained_text import TrainedText

BACKBONES = ("vgg16", "resnet101")
RATES = {"largefov": (12,), "aspp": (6, 12, 18, 24)}
SIZE = 513  # of the deploy nets' input: 32k+1, which aligns at all three scales
LABELS = Word("${NUM_LABELS}")
_TITLES = {"vgg16": "VGG-16", "resnet101": "ResNet-101", "largefov": "LargeFOV", "aspp": "ASPP"}
# Name of a scale, and the Interp factors from the input to it and from its scores back.
_SCALES = (
    ("_res05", {"shrink_factor": 2}, {"zoom_factor": 2}),
    ("_res075", {"zoom_factor": 3, "shrink_factor": 4}, {"zoom_factor": 4, "shrink_factor": 3}),
)
_PAPER = (
    "Chen, Papandreou, Kokkinos, Murphy, Yuille: DeepLab: Semantic Image Segmentation with Deep "
    "Convolutional Nets, Atrous Convolution, and Fully Connected CRFs, PAMI 2017 (arXiv:1606.00915).\n"
)
_DEPLOY_VARIABLES = (
    "NUM_LABELS (21, 60, 19), EXP (the end of the score layers' names: voc12 for the released weights)."
)
_TRAIN_VARIABLES = (
    "NET_ID (any name), EXP (folder of the lists, and the end of the score layers' names), DATA_ROOT (folder "
    "of the images), TRAIN_SET (list), NUM_LABELS (21, 60, 19)."
)
_TEST_VARIABLES = (
    "NET_ID (any name), EXP (folder of the lists, and the end of the score layers' names: voc12 for the "
    "released weights), DATA_ROOT (folder of the images), TEST_SET (list), NUM_LABELS (21, 60, 19), "
    "CROP_HEIGHT and CROP_WIDTH (513 and 513 for PASCAL VOC, 1025 and 2049 for Cityscapes), "
    "FEATURE_DIR (where the scores go as .mat files)."
)


@dataclass(frozen=True)
class DeepLabV2:
    """One net of the family. rates: of the 3x3 convolutions of the head, () for the paper's.

    multi_scale: (ResNet-101) also at 0.75 and 0.5 of the size, same weights; the largest score counts.
    """

    backbone: str = "resnet101"
    head: str = "aspp"
    rates: tuple[int, ...] = ()
    multi_scale: bool = False

    def __post_init__(self) -> None:
        for field, known in (("backbone", BACKBONES), ("head", tuple(RATES))):
            if getattr(self, field) not in known:
                raise DeepLabError(f"{field}: {getattr(self, field)} given, {' or '.join(known)} wanted")
        if self.multi_scale and self.backbone != "resnet101":
            raise DeepLabError(f"{self.backbone} has no net of several scales, only resnet101")
        if not self.rates:
            object.__setattr__(self, "rates", RATES[self.head])
        if min(self.rates) < 1 or (len(self.rates) > 1) != (self.head == "aspp"):
            wanted = "one rate" if self.head == "largefov" else "two or more rates"
            raise DeepLabError(f"rates: {', '.join(map(str, self.rates))} given, {self.head} wants {wanted}")

    @property
    def name(self) -> str:
        """The folder of the net under prototxt/deeplab_v2."""
        return f"{self.backbone}_{self.head}{'_msc' if self.multi_scale else ''}"

    def deploy(self) -> str:
        """The prototxt with an input blob, `data`."""
        shape = [1, 3, SIZE, SIZE]
        net = NetText(
            self._comment(_DEPLOY_VARIABLES),
            name=f"DeepLab-v2-{self._title('-')}",
            input="data",
            input_dim=shape,
        )
        self._body(net)
        return str(net)

    def test(self) -> str:
        """The prototxt that reads a list of images, writes the scores and measures them."""
        net = NetText(
            self._comment(_TEST_VARIABLES),
            name="${NET_ID}",
        )
        net.layer(
            "data",
            "ImageSegData",
            top=("data", "label"),
            image_data_param={
                "root_folder": "${DATA_ROOT}",
                "source": "${EXP}/list/${TEST_SET}.txt",
                "batch_size": 1,
                "label_type": Word("PIXEL"),
            },
            transform_param={
                "mean_value": list(MEAN),
                "crop_height": Word("${CROP_HEIGHT}"),
                "crop_width": Word("${CROP_WIDTH}"),
                "mirror": False,
            },
            include={"phase": Word("TEST")},
        )
        scores = self._body(net)
        net.comment("Scores to files, accuracy on the labels, over the whole list.")
        net.layer(
            f"{self._stem}_mat",
            "MatWrite",
            scores,
            (),
            mat_write_param={
                "prefix": f"${{FEATURE_DIR}}/${{TEST_SET}}/{self._stem}/",
                "source": "${EXP}/list/${TEST_SET}_id.txt",
            },
            include={"phase": Word("TEST")},
        )
        net.layer(
            "accuracy",
            "SegAccuracy",
            (scores, "label"),
            f"{self._stem}_accuracy",
            seg_accuracy_param={"ignore_label": 255, "reset": False},
            include={"phase": Word("TEST")},
        )
        return str(net)

    def train(self, crop: int, batch: int, scales: Sequence[float] = ()) -> str:
        """The prototxt that learns from a list of images and label maps, at an eighth of their size.

        crop: of images and labels, 8k+1; batch: images an iteration; scales: of the images, one at random.
        Raises DeepLabError for a net of several scales, which the authors train with a loss for each.
        """
        if self.multi_scale:
            raise DeepLabError(f"{self.name}: there is no training net of several scales")
        net = TrainedText(self._comment(_TRAIN_VARIABLES), f"{self._stem}_", name="${NET_ID}")
        net.layer(
            "data",
            "ImageSegData",
            top=("data", "label"),
            image_data_param={
                "root_folder": "${DATA_ROOT}",
                "source": "${EXP}/list/${TRAIN_SET}.txt",
                "batch_size": batch,
                "shuffle": True,
                "label_type": Word("PIXEL"),
            },
            transform_param={"mean_value": list(MEAN), "crop_size": crop, "mirror": True}
            | ({"scale_factors": list(scales)} if scales else {}),
        )
        scores = self._scores(net)
        net.comment("The loss, on every eighth label.")
        shrink = {"shrink_factor": 8, "pad_beg": 0, "pad_end": 0}
        labels = net.layer("label_shrink", "Interp", "label", interp_param=shrink)
        ignore = {"ignore_label": 255}
        net.layer("loss", "SoftmaxWithLoss", (scores, labels), loss_param=ignore)
        net.layer("accuracy", "SegAccuracy", (scores, labels), seg_accuracy_param=ignore)
        return str(net)

    def _title(self, between: str) -> str:
        parts = [_TITLES[self.backbone], _TITLES[self.head]]
        return between.join(parts + ["MSc"] * self.multi_scale)

    def _comment(self, variables: str) -> str:
        rates = ", ".join(map(str, self.rates))
        head = f"the sum of 3x3 convolutions of rates {rates}" if self.head == "aspp" else f"rate {rates}"
        scales = "The image at scales 1, 0.75, 0.5, the same weights for each; the largest score counts.\n"
        return (
            f"DeepLab v2, {self._title(' ')}: {head}.\n{scales if self.multi_scale else ''}{_PAPER}\n"
            "Input: BGR, minus 104.008, 116.669, 122.675. "
            f"Sizes that align: {'32k+1' if self.multi_scale else '8k+1'} (321, 513, 1025).\n"
            f"Scores: {self._stem}_interp, as large as the input.\n\n"
            f"Variables: {variables}"
        )

    @property
    def _stem(self) -> str:
        return "fc8" if self.backbone == "vgg16" else "fc1"

    def _body(self, net: NetText) -> str:
        """The layers from `data` to the scores; returns the latter's blob."""
        return net.layer(f"{self._stem}_interp", "Interp", self._scores(net), interp_param={"zoom_factor": 8})

    def _scores(self, net: NetText) -> str:
        """The layers from `data` to the scores at an eighth of the size; returns the latter's blob."""
        build = self._vgg16 if self.backbone == "vgg16" else self._resnet
        return build(net, f"{self._stem}_${{EXP}}")

    def _vgg16(self, net: NetText, scores: str) -> str:
        features = vgg16.trunk(net, "data", smooth=self.head == "largefov")
        branches = []
        for i, rate in enumerate(self.rates, start=1):
            net.comment(f"Scores from rate {rate}.")
            branch = f"_{i}" if self.head == "aspp" else ""
            branches.append(vgg16.head(net, features, rate, LABELS, scores, branch))
        return self._sum(net, branches, scores)

    def _resnet(self, net: NetText, scores: str) -> str:
        inputs = {"": "data"}
        if self.multi_scale:
            net.comment("The smaller scales.")
            for suffix, there, _ in _SCALES:
                inputs[suffix] = net.layer(f"data{suffix}", "Interp", "data", interp_param=there)
        trunks = {suffix: ResNet(net, suffix, self.multi_scale) for suffix in inputs}
        features = {suffix: trunks[suffix].trunk(blob) for suffix, blob in inputs.items()}
        net.comment("Scores.")
        maps = {}
        for suffix, trunk in trunks.items():
            branches = [
                trunk.head(features[suffix], rate, LABELS, scores, f"_c{i}" if self.head == "aspp" else "")
                for i, rate in enumerate(self.rates)
            ]
            maps[suffix] = self._sum(net, branches, scores + suffix)
        if not self.multi_scale:
            return maps[""]
        net.comment("The largest score of the three scales.")
        for suffix, _, back in _SCALES:
            name = f"{maps[suffix]}_interp"
            maps[suffix] = net.layer(name, "Interp", maps[suffix], interp_param=back)
        largest = [maps[""], maps["_res075"], maps["_res05"]]
        return net.layer("fc_fusion", "Eltwise", largest, eltwise_param={"operation": Word("MAX")})

    def _sum(self, net: NetText, branches: list[str], name: str) -> str:
        if len(branches) == 1:
            return branches[0]
        return net.layer(name, "Eltwise", branches, eltwise_param={"operation": Word("SUM")})


FAMILY = tuple(
    DeepLabV2(backbone, head, multi_scale=multi_scale)
    for backbone in BACKBONES
    for head in RATES
    for multi_scale in ((False, True) if backbone == "resnet101" else (False,))
)
