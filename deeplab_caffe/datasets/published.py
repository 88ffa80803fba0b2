"""Results that the DeepLab papers report, to compare with: mean IoU in percent."""

from dataclasses import dataclass

V1 = "Chen et al., ICLR 2015 (arXiv:1412.7062)"
V2 = "Chen et al., PAMI 2017 (arXiv:1606.00915)"
V3 = "Chen et al., 2017 (arXiv:1706.05587)"
V3PLUS = "Chen et al., ECCV 2018 (arXiv:1802.02611)"


@dataclass(frozen=True)
class Published:
    """A result. dataset: a plan's name; images: the list it is on; net: one that ships, or ""."""

    dataset: str
    images: str
    method: str
    mean_iou: float
    paper: str
    where: str
    net: str = ""


def _results(
    dataset: str, images: str, paper: str, where: str, *rows: tuple[str, float, str]
) -> list[Published]:
    return [Published(dataset, images, method, iou, paper, where, net) for method, iou, net in rows]


_LARGEFOV, _ASPP, _RESNET = (
    f"deeplab_v2/{name}" for name in ("vgg16_largefov", "vgg16_aspp", "resnet101_aspp_msc")
)
# The best of v2: three scales, pretrained on MS-COCO, images of random scales, ASPP.
_BEST = "ResNet-101 ASPP, MSC, COCO, Aug"

RESULTS = (
    *_results(
        "voc",
        "val",
        V1,
        "table 1a",
        ("DeepLab", 59.80, "deeplab_v1/deeplab"),
        ("DeepLab-CRF", 63.74, "deeplab_v1/deeplab"),
        ("DeepLab-MSc", 61.30, "deeplab_v1/msc"),
        ("DeepLab-MSc-CRF", 65.21, "deeplab_v1/msc"),
        ("DeepLab-LargeFOV", 62.25, "deeplab_v1/largefov"),
        ("DeepLab-CRF-LargeFOV", 67.64, "deeplab_v1/largefov"),
        ("DeepLab-MSc-LargeFOV", 64.21, "deeplab_v1/msc_largefov"),
        ("DeepLab-MSc-CRF-LargeFOV", 68.70, "deeplab_v1/msc_largefov"),
    ),
    *_results(
        "voc",
        "test",
        V1,
        "table 1b",
        ("DeepLab-CRF-LargeFOV", 70.3, "deeplab_v1/largefov"),
        ("DeepLab-MSc-CRF-LargeFOV", 71.6, "deeplab_v1/msc_largefov"),
    ),
    *_results("voc", "val", V2, "table 2", ("VGG-16 LargeFOV, poly, 20,000 x 10", 65.88, _LARGEFOV)),
    *_results(
        "voc",
        "val",
        V2,
        "table 3",
        ("VGG-16 LargeFOV", 65.76, _LARGEFOV),
        ("VGG-16 LargeFOV + CRF", 69.84, _LARGEFOV),
        ("VGG-16 ASPP-L", 68.96, _ASPP),
        ("VGG-16 ASPP-L + CRF", 71.57, _ASPP),
    ),
    *_results("voc", "val", V2, "table 4", (_BEST, 76.35, _RESNET), (f"{_BEST} + CRF", 77.69, _RESNET)),
    *_results("voc", "test", V2, "table 5", (f"{_BEST} + CRF", 79.7, _RESNET)),
    *_results("voc", "test", V3, "table 7", ("DeepLabv3 ResNet-101", 85.7, "")),
    *_results("voc", "test", V3PLUS, "table 6", ("DeepLabv3+ Xception", 87.8, "")),
    *_results(
        "context",
        "val",
        V2,
        "table 6",
        ("VGG-16 LargeFOV", 37.6, _LARGEFOV),
        ("VGG-16 LargeFOV + CRF", 39.6, _LARGEFOV),
        (_BEST, 44.7, _RESNET),
        (f"{_BEST} + CRF", 45.7, _RESNET),
    ),
    *_results(
        "cityscapes",
        "val",
        V2,
        "table 9",
        ("VGG-16 LargeFOV, half size", 62.97, _LARGEFOV),
        ("VGG-16 LargeFOV + CRF, half size", 64.18, _LARGEFOV),
        ("VGG-16 LargeFOV", 64.89, _LARGEFOV),
        ("VGG-16 LargeFOV + CRF", 65.94, _LARGEFOV),
        ("ResNet-101 LargeFOV", 69.2, "deeplab_v2/resnet101_largefov"),
        ("ResNet-101 ASPP", 70.4, "deeplab_v2/resnet101_aspp"),
        ("ResNet-101 ASPP, Aug", 71.0, "deeplab_v2/resnet101_aspp"),
        ("ResNet-101 ASPP, Aug + CRF", 71.4, "deeplab_v2/resnet101_aspp"),
    ),
    *_results("cityscapes", "test", V2, "table 8", ("ResNet-101 ASPP, Aug + CRF", 70.4, "")),
    *_results("cityscapes", "val", V3PLUS, "table 7a", ("DeepLabv3+ Xception-71", 79.55, "")),
    *_results(
        "cityscapes",
        "test",
        V3PLUS,
        "table 7b",
        ("DeepLabv3 ResNet-101, coarse", 81.3, ""),
        ("DeepLabv3+ Xception-71, coarse", 82.1, ""),
    ),
)


def published(dataset: str) -> list[Published]:
    """The results on a data set."""
    return [result for result in RESULTS if result.dataset == dataset]
