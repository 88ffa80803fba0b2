"""Whose BN layers a net has: SegNet's (ENet, DeconvNet) or PSPNet's (ICNet), which share type and message.

SegNet's has two parameters, PSPNet's four. A layer's own fields tell; one without any is as the others of
the file are, and where no layer has a sign, as PSPNet's: nets of SegNet say their fillers.
"""

from collections.abc import Iterable
from typing import Any

from ..errors import DeepLabError
from .upgrade import Fail

SEGNET = ("scale_filler", "shift_filler", "bn_mode")
PSPNET = ("slope_filler", "bias_filler", "momentum", "eps", "frozen")


def is_segnet(param: Any) -> bool:
    """Whether a BNParameter is SegNet's."""
    return any(param.HasField(name) for name in SEGNET)


def settle(layers: Iterable[tuple[int, Any]], fail: Fail) -> None:
    """Gives BN layers without a sign that of the others, in place; `fail` makes errors, see upgrade."""
    pairs = [(index, layer.bn_param, layer) for index, layer in layers if layer.type == "BN"]
    signed = {
        index: (is_segnet(param), any(param.HasField(name) for name in PSPNET)) for index, param, _ in pairs
    }
    segnet = [index for index, (one, _) in signed.items() if one]
    pspnet = [index for index, (_, other) in signed.items() if other]
    for index, param, layer in pairs:
        if all(signed[index]):
            given = [name for name in (*SEGNET, *PSPNET) if param.HasField(name)]
            raise _mixed(fail, index, given)
        if not any(signed[index]):
            theirs = layer.bn_param
            (theirs.scale_filler if segnet and not pspnet else theirs.slope_filler).SetInParent()


def _mixed(fail: Fail, index: int, given: list[str]) -> DeepLabError:
    return fail(index, "bn_param", f"{', '.join(given)} together: SegNet's and PSPNet's fields")
