"""Python: a layer that is a class in a module of the user's, by the rules of Caffe's Python interface."""

import importlib
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self, override

from ..autograd import callback_function
from ..types import Shape
from .base import Layer, register, shapes_of
from .parts.caffe_blob import Blob, BlobVec
from .parts.permission import python_layers_allowed

_PHASES = {"train": 0, "test": 1}  # Caffe's numbers


class CaffeLayer:
    """What Python layers are derived from: `caffe.Layer`.

    A class of the user's has setup(bottom, top), once; reshape(bottom, top) and forward(bottom, top), in each
    forward; backward(top, propagate_down, bottom), where gradients are wanted. bottom, top: lists of Blob;
    propagate_down: for each bottom whether its diff is wanted. It finds `param_str` of the prototxt and
    `phase`; parameters are what setup adds to `blobs`.
    """

    param_str: str = ""
    phase: int = _PHASES["test"]
    type = "Python"
    blobs: BlobVec

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        """With an empty `blobs`, also for a class whose own __init__ does not call this one's."""
        layer = super().__new__(cls)
        layer.blobs = BlobVec()
        return layer

    def __init__(self, param: Any = None) -> None:
        """param: the LayerParameter message."""


@register("Python")
class PythonLayer(Layer):
    """`python_param { module layer param_str }`: runs only where Python layers are allowed.

    The class's reshape tells the tops' shapes, for the bottoms that forward gets next.
    """

    remembers = True
    bottom_count = (0, None)
    top_count = (0, None)
    keeps_parameters_on_host = True

    @override
    def setup(self) -> None:
        names = self.definition.bottoms
        self.bottom_blobs = [Blob() for _ in names]
        self.top_blobs = [
            self.bottom_blobs[names.index(top)] if top in names else Blob() for top in self.definition.tops
        ]
        self._reshaped_for: list[Shape] | None = None
        self._ready = False
        self.user: Any = self._make()

    def _make(self) -> CaffeLayer:
        """The user's object. DeepLabError: not allowed, or no such class."""
        param = self.definition.param.python_param
        if not (self.context.python_layers or python_layers_allowed()):
            raise self.error(
                "type",
                f"it runs the Python code of {param.module}.{param.layer}, which must be allowed: "
                "--allow-python-layers, or Net(..., python_layers=True)",
            )
        try:
            module = importlib.import_module(param.module)
        except ModuleNotFoundError as error:
            hint = "; its folder belongs in PYTHONPATH" if error.name == param.module else ""
            hint = "; deeplab_caffe.pycaffe.install() provides it" if error.name == "caffe" else hint
            raise self.error("module", f"{param.module}: {error}{hint}") from error
        except ValueError:
            raise self.error("module", "missing") from None
        found = getattr(module, param.layer, None)
        if not (isinstance(found, type) and issubclass(found, CaffeLayer)):
            what = "no class of this name" if found is None else "not derived from caffe.Layer"
            raise self.error("layer", f"{param.module}.{param.layer}: {what}")
        return found(self.definition.param)

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """Asks the class, but not twice between two forwards: some reshape by what they have just read."""
        if self._reshaped_for != bottoms:
            for blob, shape in zip(self.bottom_blobs, bottoms, strict=True):
                blob.reshape(*shape)
            self.reshape()
            self._reshaped_for = list(bottoms)
        return [blob.shape for blob in self.top_blobs]

    def reshape(self) -> None:
        """The class's reshape, after its setup where that was not called yet."""
        user, param = self.user, self.definition.param.python_param
        user.phase = _PHASES[self.context.phase]
        if not self._ready:
            user.param_str = param.param_str
            user.setup(self.bottom_blobs, self.top_blobs)
            self._ready = True
        user.reshape(self.bottom_blobs, self.top_blobs)

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        if not self._ready:
            self.shape(bottoms)
        return [blob.shape for blob in self.user.blobs]

    @override
    def fillers(self) -> list[Any]:
        """What setup left in the class's blobs."""
        return [blob.data_tensor for blob in self.user.blobs]

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        shapes = self.shape(shapes_of(bottoms))
        self._put(bottoms, tops)
        for blob, parameter in zip(self.user.blobs, self.blobs, strict=True):
            blob.put(parameter.tensor)
        self.user.forward(self.bottom_blobs, self.top_blobs)
        self._reshaped_for = None
        for name, blob, top, shape in zip(self.definition.tops, self.top_blobs, tops, shapes, strict=True):
            if blob.shape != shape:
                raise self.error(
                    "top",
                    f"'{name}' became {blob.shape} in forward, {shape} in reshape: only pycaffe allows it",
                )
            if blob.data_tensor.data_ptr() != top.data_ptr():
                top.copy_(blob.data_tensor)

    def _put(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Gives the blobs the memory of these tensors; a top that is a bottom starts with its values."""
        for blob, bottom in zip(self.bottom_blobs, bottoms, strict=True):
            blob.put(bottom)
        for blob, top in zip(self.top_blobs, tops, strict=True):
            if blob in self.bottom_blobs:
                top.copy_(blob.data_tensor)
            blob.put(top)

    @override
    def forward_train(self, bottoms: list[Tensor]) -> list[Tensor]:
        blobs: list[Tensor] = [blob.tensor for blob in self.blobs]
        return callback_function(self._tops, self._backward, bottoms, blobs)

    def _backward(
        self, bottoms: list[Tensor], tops: list[Tensor], gradients: list[Tensor], wanted: list[bool]
    ) -> list[Tensor]:
        """The class's backward: gradients in the bottoms and in the parameters."""
        device = self.context.device
        bottoms, tops, gradients = ([x.cpu() for x in part] for part in (bottoms, tops, gradients))
        results = [torch.zeros_like(x) for x in (*bottoms, *(blob.tensor for blob in self.blobs))]
        found = iter(results)
        for blob, bottom in zip(self.bottom_blobs, bottoms, strict=True):
            blob.put(bottom, next(found))
        for blob, top, gradient in zip(self.top_blobs, tops, gradients, strict=True):
            if blob in self.bottom_blobs:  # its diff is both: the class turns one into the other
                blob.put(top)
                blob.diff_memory.values.copy_(gradient.view(-1))
            else:
                blob.put(top, gradient)
        for blob, parameter in zip(self.user.blobs, self.blobs, strict=True):
            blob.put(parameter.tensor, next(found))
        self.user.backward(self.top_blobs, wanted, self.bottom_blobs)
        count = len(bottoms)
        return [diff.to(device) for diff in results[:count]] + results[count:]
