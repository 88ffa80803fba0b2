"""How TensorFlow (slim) and PyTorch name and lay out what Caffe's layers hold.

The generated nets keep their names: the layer that owns TensorFlow's scope S, or PyTorch's module S, is a
Convolution called S; batch normalisation is a BatchNorm called like its scope or module, and a Scale called
the same with "/scale" after it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import DeepLabError
from ..types import Shape


class Rule(NamedTuple):
    """The variable that fills a blob ("": none, the blob is one), and its axis for each of the blob's axes.

    No axes: the same order.
    """

    variable: str
    axes: tuple[int, ...] = ()

    def variable_shape(self, blob: Shape) -> Shape:
        """The shape the variable has if the blob has this one."""
        if not self.axes:
            return blob
        return tuple(blob[self.axes.index(axis)] for axis in range(len(blob)))


@dataclass(frozen=True)
class Layout:
    """A naming scheme.

    rules(layer, type, depthwise): one rule a blob, in order. training(name, all names): whether only training
    needs this variable. classes: variables of which one is there and has one value a class.
    """

    name: str
    rules: Callable[[str, str, bool], list[Rule]]
    training: Callable[[str, Collection[str]], bool]
    classes: tuple[str, ...]


def _tf_rules(layer: str, kind: str, depthwise: bool) -> list[Rule]:
    if kind == "Convolution":
        # (height, width, in, out), depthwise (height, width, channels, 1)
        variable, axes = ("depthwise_weights", (2, 3, 0, 1)) if depthwise else ("weights", (3, 2, 0, 1))
        return [Rule(f"{layer}/{variable}", axes), Rule(f"{layer}/biases")]
    if kind == "BatchNorm":
        return [Rule(f"{layer}/moving_mean"), Rule(f"{layer}/moving_variance"), Rule("")]
    scope = _scaled(layer, kind)
    return [Rule(f"{scope}/gamma"), Rule(f"{scope}/beta")]


def _tf_training(name: str, names: Collection[str]) -> bool:
    """Counters; and an optimizer's slots and averages, called like their variable with a word more."""
    return name.rpartition("/")[0] in names or name in ("global_step", "beta1_power", "beta2_power")


def _torch_rules(layer: str, kind: str, depthwise: bool) -> list[Rule]:
    if kind == "BatchNorm":
        return [Rule(f"{layer}.running_mean"), Rule(f"{layer}.running_var"), Rule("")]
    module = layer if kind == "Convolution" else _scaled(layer, kind)
    return [Rule(f"{module}.weight"), Rule(f"{module}.bias")]


def _torch_training(name: str, names: Collection[str]) -> bool:
    """Counters, and the auxiliary heads that only help training."""
    return name.endswith(".num_batches_tracked") or name.startswith(
        ("aux_classifier.", "classification_head.")
    )


def _scaled(layer: str, kind: str) -> str:
    """The scope of which a Scale holds gamma and beta."""
    if kind != "Scale" or not layer.endswith("/scale"):
        raise DeepLabError(f"layer '{layer}' ({kind}): no rule says where its parameters come from")
    return layer.removesuffix("/scale")


TENSORFLOW = Layout("TensorFlow", _tf_rules, _tf_training, ("logits/semantic/biases",))
TORCH = Layout("PyTorch", _torch_rules, _torch_training, ("classifier.4.bias", "segmentation_head.0.bias"))
