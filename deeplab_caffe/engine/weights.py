"""Puts the blobs of a caffemodel into the layers of a net, and back into a file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike

from typing_extensions import override

from ..errors import DeepLabError
from ..formats.caffemodel import write_caffemodel
from ..formats.file_blob import FileBlob, in_memory
from ..formats.hdf5_snapshot import write_hdf5_model
from ..formats.layer_types import V1_WIRE_NUMBERS
from ..formats.records import LayerBlobs
from ..formats.weights import read_layers
from ..layers import Layer
from ..layers.parameters.parameter import Parameter
from ..layers.parameters.weight_memory import WeightMemory
from .weight_match import LayerShapes, match_weights


@dataclass
class WeightReport:
    """What loading did: layers filled, layers of the file that the net lacks, and the other way round."""

    path: str = ""
    loaded: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @override
    def __str__(self) -> str:
        lines = [f"{self.path}: {len(self.loaded)} layers loaded"]
        lines += [f"{self.path}: layer '{name}' is not in the net: ignored" for name in self.unused]
        lines += [f"layer '{name}' is not in {self.path}: it keeps its values" for name in self.missing]
        return "\n".join(lines)

    def unfilled(self, layers: Iterable[str] | None = None) -> str:
        """One line about those of `layers` (None: the net's) that got no weights; "" if there are none.

        Both sides are listed, for the usual reason is a layer that has another name in the file.
        """
        wanted = None if layers is None else set(layers)
        missing = [name for name in self.missing if wanted is None or name in wanted]
        if not missing:
            return ""
        return (
            f"{self.path}: no weights for {_names(missing)}; "
            f"layers there that the net lacks: {_names(self.unused)}"
        )


def together(reports: Sequence[WeightReport]) -> WeightReport:
    """What several files did, loaded one after the other; `missing` is what none of them has."""
    loaded = dict.fromkeys(name for report in reports for name in report.loaded)
    missing = reports[0].missing if reports else []
    return WeightReport(
        ", ".join(report.path for report in reports),
        list(loaded),
        list(dict.fromkeys(name for report in reports for name in report.unused)),
        [name for name in missing if all(name in report.missing for report in reports)],
    )


def load_weights(
    path: str | PathLike[str], layers: list[Layer], memory: WeightMemory | None = None
) -> WeightReport:
    """Reads a caffemodel into `layers`. With `memory`, weights are streamed through it (Parameter.stream).

    Raises DeepLabError if the file cannot be read, a blob does not fit, or nothing in it is for this net; the
    layers then keep their values.
    """
    source = str(path)
    shapes = [
        LayerShapes(
            layer.name,
            tuple(parameter.shape for parameter in layer.blobs),
            layer.definition.param.strict_dim,
            tuple(spec.name for spec in layer.definition.params),
        )
        for layer in layers
    ]
    match = match_weights(read_layers(path, in_file=memory is not None), shapes, source)
    if not match.copies:
        raise DeepLabError(
            f"{source}: no layer of it has weights for this net; layers in it: {_names(match.unused)}; "
            f"layers of the net: {_names(match.missing)}"
        )
    by_name = {layer.name: layer for layer in reversed(layers)}
    for copy in match.copies:
        parameter = by_name[copy.layer].blobs[copy.index]
        if isinstance(copy.values, FileBlob) and memory is not None:
            parameter.stream(copy.values, memory)
        else:
            parameter.data = in_memory(copy.values)
    loaded = list(dict.fromkeys(copy.layer for copy in match.copies))
    return WeightReport(source, loaded, match.unused, match.missing)


def check_given(
    layers: Sequence[Layer], weights: str | PathLike[str] | None, random_weights: bool, source: str
) -> None:
    """DeepLabError unless weights are given, random ones are asked for, or there is nothing to fill.

    layers: those whose parameters matter. source: names the net.
    """
    if weights is not None and random_weights:
        raise DeepLabError("weights and random_weights (--weights, --random-weights): one of them wanted")
    filled = [layer.name for layer in layers if layer.blobs]
    if filled and weights is None and not random_weights:
        raise DeepLabError(
            f"{source}: no weights given (--weights) for {_names(filled)}; "
            "with random_weights (--random-weights) they start from their fillers"
        )


def _names(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "none"


def save_weights(
    path: str | PathLike[str], layers: list[Layer], layout: str = "v2", name: str = "", durable: bool = False
) -> None:
    """Writes the parameters of `layers`: layout "v2" or "v1" of write_caffemodel, or "hdf5".

    A layer that only shares what earlier ones own is left out: whoever reads the file shares them again. So
    is one without parameters whose type the V1 layout has no number for.
    """
    stored: list[LayerBlobs] = []
    written: set[Parameter] = set()
    for layer in layers:
        if layer.blobs and written.issuperset(layer.blobs):
            continue
        if layout == "v1" and not layer.blobs and layer.definition.type not in V1_WIRE_NUMBERS:
            continue
        written.update(layer.blobs)
        stored.append(
            LayerBlobs(layer.name, layer.definition.type, [blob.values().cpu() for blob in layer.blobs])
        )
    if layout == "hdf5":
        write_hdf5_model(path, stored)
    else:
        write_caffemodel(path, stored, layout, name, durable)
