"""The parts of a pycaffe net, put together around a Net of this package: blobs, layers, what runs them."""

from collections import OrderedDict
from collections.abc import Sequence

import torch

from ..engine.net import Net
from ..layers import Layer
from ..layers.parts.caffe_blob import Blob, BlobVec, Memory
from ..layers.python import PythonLayer
from .backward_plan import backward_needs
from .layer_run import LayerRun
from .parameter_blob import ParameterBlob


class NetLayer:
    """A layer as `net.layers` has it."""

    def __init__(self, layer: Layer, blobs: BlobVec) -> None:
        self._layer, self.blobs = layer, blobs

    @property
    def type(self) -> str:
        """The layer's type in the prototxt."""
        return self._layer.definition.type


def make_blobs(net: Net, device: torch.device) -> OrderedDict[str, Blob]:
    """The net's blobs by name; a Python layer's tops are those it knows. device: where it computes."""
    shapes = net.shapes_for()
    blobs: OrderedDict[str, Blob] = OrderedDict()
    for layer in net.layers:
        for i, name in enumerate(layer.definition.tops):
            if name not in blobs:
                blob = layer.top_blobs[i] if isinstance(layer, PythonLayer) else Blob(shapes[name])
                blob.data_memory.device = blob.diff_memory.device = device
                blobs[name] = blob
    return blobs


def make_parameter_blobs(layers: Sequence[Layer], force: bool, device: torch.device) -> list[BlobVec]:
    """The parameters of each layer; those that share values share diffs. force: all get gradients."""
    diffs: dict[int, Memory] = {}
    found = []
    for layer in layers:
        for parameter in layer.blobs:
            parameter.tensor.requires_grad_(force or parameter.lr_mult != 0)
        if isinstance(layer, PythonLayer):
            found.append(layer.user.blobs)
            connect_python_layer(layer)
        else:
            found.append(
                BlobVec(
                    ParameterBlob(own, diffs.setdefault(id(own), Memory(device=device)), device)
                    for own in layer.blobs
                )
            )
    return found


def connect_python_layer(layer: PythonLayer) -> None:
    """Its object's own blobs get the memory of the layer's parameters."""
    for blob, parameter in zip(layer.user.blobs, layer.blobs, strict=True):
        blob.put(parameter.tensor)


def make_runs(
    layers: Sequence[Layer], blobs: OrderedDict[str, Blob], parameters: Sequence[BlobVec], force: bool
) -> list[LayerRun]:
    """What runs each layer."""
    runs = []
    for layer, own, needs in zip(layers, parameters, backward_needs(layers, force), strict=True):
        names = layer.definition.bottoms, layer.definition.tops
        bottoms, tops = ([blobs[name] for name in part] for part in names)
        runs.append(LayerRun(layer, bottoms, tops, own, needs))
    return runs
