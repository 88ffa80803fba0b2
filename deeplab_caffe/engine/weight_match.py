"""Which blobs of a weights file go into which layers of a net, by Caffe's rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from torch import Tensor

from ..errors import DeepLabError
from ..formats.file_blob import FileBlob
from ..formats.records import LayerBlobs
from ..types import Shape


@dataclass(frozen=True)
class LayerShapes:
    """A layer of the net: the shapes of its parameters.

    strict_dim: False (DeepLab v1) lets blobs of equal count but another shape load.
    shared: the layer's parameter names ("" or absent: not shared), in the order of the shapes.
    """

    name: str
    shapes: tuple[Shape, ...]
    strict_dim: bool = True
    shared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """Values for parameter number `index` of the net's layer `layer`, in the shape the net wants."""

    layer: str
    index: int
    values: Tensor | FileBlob


@dataclass
class WeightMatch:
    """What to copy, in the file's order: of a shared parameter the last copy counts.

    unused: layers of the file, with blobs, that the net lacks; missing: layers of the net, with parameters,
    that the file lacks (and no layer of it shares all of theirs).
    """

    copies: list[Copy] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def match_weights(
    file_layers: Sequence[LayerBlobs], net_layers: Sequence[LayerShapes], source: str
) -> WeightMatch:
    """Matches layers by name, blobs by position. `source` names the file in errors.

    Raises DeepLabError if a layer has another number of blobs in the file, or one of another shape, naming
    file, layer, blob and both shapes.
    """
    # With a name given twice, Caffe fills the first layer.
    by_name: dict[str, LayerShapes] = {}
    for layer in net_layers:
        by_name.setdefault(layer.name, layer)
    match = WeightMatch()
    loaded: set[str] = set()
    filled: set[str] = set()
    for given in file_layers:
        wanted = by_name.get(given.name)
        if wanted is None:
            if given.blobs:
                match.unused.append(given.name)
            continue
        if len(given.blobs) != len(wanted.shapes):
            raise DeepLabError(
                f"{source}: layer '{given.name}': {len(given.blobs)} blobs in the file, "
                f"{len(wanted.shapes)} in the net"
            )
        for index, (values, shape) in enumerate(zip(given.blobs, wanted.shapes, strict=True)):
            if not _fits(tuple(values.shape), shape, wanted.strict_dim):
                shapes = f"shape {_words(values.shape)} in the file, {_words(shape)} in the net"
                raise DeepLabError(f"{source}: layer '{given.name}', blob {index}: {shapes}")
            match.copies.append(Copy(given.name, index, values.reshape(shape)))
        loaded.add(given.name)
        filled.update(name for name in wanted.shared if name)
    for layer in by_name.values():
        through_others = len(layer.shared) == len(layer.shapes) and filled.issuperset(layer.shared)
        if layer.shapes and layer.name not in loaded and not through_others:
            match.missing.append(layer.name)
    return match


def _fits(given: Shape, wanted: Shape, strict: bool) -> bool:
    """Caffe's Blob::ShapeEquals, both ways: up to four axes compare as if filled up with ones on the left.

    (Old files say (1, 1, 1, n) for a bias; newer nets have (n).) Not strict: the count decides.
    """
    if not strict:
        return prod(given) == prod(wanted)
    if len(given) <= 4 and len(wanted) <= 4:
        return (1,) * (4 - len(given)) + given == (1,) * (4 - len(wanted)) + wanted
    return given == wanted


def _words(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "()"
