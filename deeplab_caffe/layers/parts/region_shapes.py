"""What the data layers of R-CNN nets, written in Python, give besides images, by the names they all use."""

import re
from typing import TYPE_CHECKING

from ...types import Shape

if TYPE_CHECKING:
    from ...formats.net_definition import LayerDefinition

_REGIONS = 128  # in a batch of Fast R-CNN's own configuration
_PROPOSALS = 300  # of Faster R-CNN's own configuration, in the test phase
_CLASSES = 21  # of PASCAL VOC, where param_str says nothing


def region_shape(definition: "LayerDefinition", name: str) -> Shape | None:
    """The shape of that top of a Python layer; None where the name is none of R-CNN's."""
    if definition.type != "Python" or not {"rois", "im_info"} & set(definition.tops):
        return None
    return _by_name(definition).get(name)


def proposed_shape(definition: "LayerDefinition", name: str, bottoms: list[Shape]) -> Shape | None:
    """The shape of a top of Faster R-CNN's Python layers with bottoms; None for other layers.

    The first bottom of anchor_target_layer holds two scores for each of A anchors.
    """
    module = definition.param.python_param.module.rpartition(".")[2]
    if module == "anchor_target_layer" and bottoms and len(bottoms[0]) == 4:
        n, scores, height, width = bottoms[0]
        return (n, 1, scores // 2 * height, width) if "label" in name else (n, scores * 2, height, width)
    if module == "proposal_layer":
        return (_PROPOSALS, 1 if "score" in name else 5)
    return _by_name(definition).get(name) if module == "proposal_target_layer" else None


def _by_name(definition: "LayerDefinition") -> dict[str, Shape]:
    found = re.search(r"num_classes\W+(\d+)", definition.param.python_param.param_str)
    classes = int(found[1]) if found else _CLASSES
    return {
        "rois": (_REGIONS, 5),
        "im_info": (1, 3),
        "gt_boxes": (1, 5),
        "labels": (_REGIONS,),
        "bbox_targets": (_REGIONS, 4 * classes),
        "bbox_inside_weights": (_REGIONS, 4 * classes),
        "bbox_outside_weights": (_REGIONS, 4 * classes),
        "bbox_loss_weights": (_REGIONS, 4 * classes),
    }
