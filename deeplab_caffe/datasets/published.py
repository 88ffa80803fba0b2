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


RESULTS = (
    Published("voc", "val", "DeepLab", 59.80, V1, "table 1a", "deeplab_v1/deeplab"),
    Published("voc", "val", "DeepLab-CRF", 63.74, V1, "table 1a", "deeplab_v1/deeplab"),
    Published("voc", "val", "DeepLab-MSc", 61.30, V1, "table 1a", "deeplab_v1/msc"),
    Published("voc", "val", "DeepLab-MSc-CRF", 65.21, V1, "table 1a", "deeplab_v1/msc"),
    Published("voc", "val", "DeepLab-LargeFOV", 62.25, V1, "table 1a", "deeplab_v1/largefov"),
    Published("voc", "val", "DeepLab-CRF-LargeFOV", 67.64, V1, "table 1a", "deeplab_v1/largefov"),
    Published("voc", "val", "DeepLab-MSc-LargeFOV", 64.21, V1, "table 1a", "deeplab_v1/msc_largefov"),
    Published("voc", "val", "DeepLab-MSc-CRF-LargeFOV", 68.70, V1, "table 1a", "deeplab_v1/msc_largefov"),
    Published("voc", "test", "DeepLab-CRF-LargeFOV", 70.3, V1, "table 1b", "deeplab_v1/largefov"),
    Published("voc", "test", "DeepLab-MSc-CRF-LargeFOV", 71.6, V1, "table 1b", "deeplab_v1/msc_largefov"),
)


def published(dataset: str) -> list[Published]:
    """The results on a data set."""
    return [result for result in RESULTS if result.dataset == dataset]
