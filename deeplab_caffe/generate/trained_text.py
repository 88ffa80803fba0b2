"""Prototxt text of a net in training: how fast each layer learns, and what its scores start from."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from .net_text import NetText

_SCORES_RATE = 10  # times the others': the scores start from noise, all else from trained weights
_SCORES_FILLER = {"type": "gaussian", "std": 0.01}


class TrainedText(NetText):
    """A NetText whose layers have learning rates, as the DeepLab authors trained.

    Biases learn twice as fast as weights and do not decay; batch normalisation stays as it is; the layers
    whose names begin with `scores` learn ten times as fast and start from noise.
    """

    def __init__(self, comment: str, scores: str, **fields: Any) -> None:
        super().__init__(comment, **fields)
        self._scores = scores

    @override
    def layer(
        self,
        name: str,
        kind: str,
        bottoms: str | Sequence[str] = (),
        top: str | Sequence[str] = "",
        **fields: Any,
    ) -> str:
        fields = {key: value for key, value in fields.items() if key != "param" or value}
        if kind == "Convolution":
            geometry = dict(fields.pop("convolution_param"))
            last = name.startswith(self._scores)
            rate = _SCORES_RATE if last else 1
            rates = [{"lr_mult": rate, "decay_mult": 1}]
            if geometry.get("bias_term", True):
                rates.append({"lr_mult": 2 * rate, "decay_mult": 0})
            if last:
                geometry["weight_filler"] = _SCORES_FILLER
            fields |= {"param": rates, "convolution_param": geometry}
        elif kind in ("BatchNorm", "Scale"):
            fields["param"] = [{"lr_mult": 0}] * (3 if kind == "BatchNorm" else 2)
        return super().layer(name, kind, bottoms, top, **fields)
