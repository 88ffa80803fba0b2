"""What every layer is made of: the base class, and the registry of types."""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from .. import ops
from ..autograd import layer_function
from ..errors import DeepLabError
from ..ops.devices import torch_precision
from ..types import Shape
from .context import Context
from .foreign_types import FOREIGN_TYPES
from .parameters.parameter import Parameter

if TYPE_CHECKING:
    from ..formats.net_definition import LayerDefinition


class Layer(ABC):
    """One Caffe layer: reads its fields, tells the shapes of its tops, computes them.

    The net calls, in order: the constructor (which calls `setup`), `shape` (again on every reshape),
    `blob_shapes` (once, to make `self.blobs`), then `forward` as often as it likes. A layer knows its own
    definition and the context, never the net or other layers.

    What only some layers can do is in abilities.py. A layer without bottoms feeds the net: its `shape([])` is
    asked before every forward and tells what that will give, so that a data layer may follow its next image.
    """

    type: ClassVar[str] = ""
    # Least and most number of bottoms and tops; None is no limit.
    bottom_count: ClassVar[tuple[int, int | None]] = (1, 1)
    top_count: ClassVar[tuple[int, int | None]] = (1, 1)
    # Whether `forward` gives the same values when the first top is the memory of the first bottom.
    in_place: ClassVar[bool] = False
    # Whether `forward` takes tensors on a GPU and gives the CPU's bits there. If not, the net hands it copies
    # in main memory. Layers with parameters must.
    on_device: bool = False
    # Whether its parameters are in main memory, whatever the device.
    keeps_parameters_on_host: ClassVar[bool] = False
    # Whether `forward` waits for the GPU; a net with such a layer is not captured as a CUDA graph.
    synchronises: ClassVar[bool] = False
    # Whether the tops are given by the caller of Net.forward (Input, MemoryData).
    fed_by_caller: ClassVar[bool] = False
    # Whether a forward depends on those before it, or leaves more behind than its tops (state, files).
    remembers: ClassVar[bool] = False
    # Whether a top may have no values.
    may_be_empty: ClassVar[bool] = False
    # Whether gradients change the parameters (not those of BatchNorm, which are statistics).
    learns: ClassVar[bool] = True
    # Whether the first top is a loss, which counts in the net's loss unless loss_weight says otherwise.
    loss: ClassVar[bool] = False

    def __init__(self, definition: "LayerDefinition", context: Context) -> None:
        self.definition = definition
        self.context = context
        if definition.param.HasField("phase"):
            self.context = replace(context, phase="train" if definition.param.phase == 0 else "test")
        given = len(definition.param.propagate_down)
        if given not in (0, len(definition.bottoms)):
            bottoms = len(definition.bottoms)
            raise self.error("propagate_down", f"{given} given for {bottoms} bottoms, none or as many wanted")
        # The parameters, made by the net; several layers may hold the same object.
        self.blobs: list[Parameter] = []
        self.passes = 0  # See `seek`.
        for what, names, (least, most) in (
            ("bottom", definition.bottoms, self.bottom_count),
            ("top", definition.tops, self.top_count),
        ):
            if len(names) < least or (most is not None and len(names) > most):
                wanted = (
                    str(least) if least == most else f"{least} to {'any number' if most is None else most}"
                )
                raise self.error(what, f"{len(names)} given, {wanted} wanted")
        self.setup()

    @property
    def name(self) -> str:
        """The layer's name in the prototxt."""
        return self.definition.name

    def error(self, field: str, message: str) -> DeepLabError:
        """An error that names file, line, layer and field."""
        return self.definition.error(field, message)

    def follow_phase(self, phase: str) -> None:
        """Makes `phase` the layer's, unless its own field settles that."""
        if not self.definition.param.HasField("phase"):
            self.context = replace(self.context, phase=phase)

    @contextmanager
    def naming(self, field: str) -> Iterator[None]:
        """Within, errors are of that field: file, line and layer come before their text."""
        try:
            yield
        except DeepLabError as error:
            raise self.error(field, str(error)) from None

    def at_least(self, field: str, value: float, least: int) -> None:
        """An error of that field if its value is less."""
        if value < least:
            raise self.error(field, f"{value} given, {least} or more wanted")

    def want_dims(self, bottom: Shape, dims: int, or_more: bool = False) -> None:
        """DeepLabError unless the bottom has so many dimensions."""
        if len(bottom) < dims or (len(bottom) > dims and not or_more):
            least = "at least " if or_more else ""
            raise self.error("bottom", f"{bottom} given, {least}{dims} dimensions wanted")

    def axis(self, field: str, value: int, dims: int) -> int:
        """An axis number of a blob with `dims` axes, negative ones counted from the end."""
        if not -dims <= value < dims:
            raise self.error(field, f"axis {value} given, the blob has {dims}")
        return value % dims

    def setup(self) -> None:  # noqa: B027 not every layer has fields
        """Reads and checks the fields of `self.definition.param`."""

    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        """Shapes of the tops for these bottoms; raises DeepLabError if they do not fit.

        A function of its arguments and of what `setup` has read: it remembers nothing, so that anybody may
        ask for any size at any time. (A data layer may read the sample that its next forward gives.)
        """
        return [bottoms[0]]

    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        """Shapes of the layer's parameters (Caffe's `blobs`) for these bottoms."""
        return []

    def fillers(self) -> list[Any]:
        """For each parameter the FillerParameter message, or number, that it starts from; default 0."""
        return []

    def learning(self, blob: int) -> bool:
        """Whether gradients change parameter number `blob`."""
        return self.learns

    def seek(self, passes: int) -> None:
        """Makes the next forward number `passes`, counted from 0; who is random counts on from there.

        What is random is a function of `context.seed` and that number alone, so that training may stop and go
        on.
        """
        self.passes = passes

    @abstractmethod
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """Computes the tops, in the exact precision with the original's bits.

        bottoms: contiguous float32 tensors; tops: the same, allocated to `shape`, to be written in place
        (uninitialised). The first top may be the memory of the first bottom only if `in_place` is True.
        """

    def prepare(self) -> None:  # noqa: B027 few layers have anything to prepare
        """Puts the parameters in the form that `forward` reads, so that it needs less memory at once."""

    def compute(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        """`forward`, through main memory where the layer has no kernels for the tensors' device."""
        if self.on_device or not ops.backend_of(self.context.device).is_gpu:
            self.forward(bottoms, tops)
            return
        results = [torch.empty(top.shape) for top in tops]
        with ops.on_host():
            self.forward([bottom.cpu() for bottom in bottoms], results)
        for top, result in zip(tops, results, strict=True):
            top.copy_(result)

    def forward_fast(self, bottoms: list[Tensor]) -> list[Tensor] | None:
        """Tops for the other precisions, from torch's own operators, in any layout and dtype.

        The bottoms must stay as they are: others may read them. None: this layer has no such path, and the
        net calls `forward` with contiguous float32. The default is `formula`.
        """
        return self.formula(bottoms, [blob.values() for blob in self.blobs])

    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor] | None:
        """The tops from torch's differentiable operators: what training differentiates.

        Any layout and floating point dtype (float64 too); blobs: the parameters' values. Nothing is written
        to, not even the layer. None (the default): the layer has no gradient.
        """
        return None

    def forward_train(self, bottoms: list[Tensor]) -> list[Tensor]:
        """Tops that autograd can differentiate in the bottoms and in each blob's `tensor`.

        In the exact precision they have the bits of `forward`.
        """
        blobs: list[Tensor] = [blob.tensor for blob in self.blobs]
        single = all(x.dtype == torch.float32 for x in (*bottoms, *blobs))
        if self.context.precision != "exact" or not single:
            tops = self.formula(bottoms, blobs)
            if tops is not None:
                return tops
        return layer_function(self._tops, self._differentiable, bottoms, blobs)

    def _tops(self, bottoms: list[Tensor]) -> list[Tensor]:
        """The values of `forward`, in new memory."""
        bottoms = [bottom.to(torch.float32).contiguous() for bottom in bottoms]
        shapes = self.shape([tuple(bottom.shape) for bottom in bottoms])
        tops = [torch.empty(shape, device=self.context.device) for shape in shapes]
        self.compute(bottoms, tops)
        return tops

    def _differentiable(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        """`formula`, or an error where there is none."""
        with torch_precision(self.context.precision):
            tops = self.formula(bottoms, blobs)
        if tops is None:
            raise self.error("bottom", "the layer has no gradient, so none can pass through it")
        return tops

    def working_dtype(self, weights: Tensor) -> torch.dtype:
        """What the fast precisions multiply `weights` in: their own type, or a 16-bit one."""
        half = {"bf16": torch.bfloat16, "fp16": torch.float16}
        return half.get(self.context.precision, weights.dtype)

    @property
    def loss_weights(self) -> list[float]:
        """How much each top counts in the net's loss: `loss_weight`, by default 1 for the top of a loss."""
        given, tops = list(self.definition.param.loss_weight), len(self.definition.tops)
        if given and len(given) != tops:
            raise self.error("loss_weight", f"{len(given)} given for {tops} tops")
        return given or [1.0 if self.loss and i == 0 else 0.0 for i in range(tops)]


def shapes_of(tensors: Iterable[Tensor]) -> list[Shape]:
    """Their shapes, as `Layer.shape` takes them."""
    return [tuple(tensor.shape) for tensor in tensors]


_REGISTRY: dict[str, type[Layer]] = {}


def register(*types: str) -> Callable[[type[Layer]], type[Layer]]:
    """Class decorator: the class implements the Caffe layer type(s), by their V2 names ("Convolution")."""

    def add(cls: type[Layer]) -> type[Layer]:
        for name in types:
            if name in _REGISTRY:
                raise ValueError(
                    f"layer type {name} is registered twice: {_REGISTRY[name].__name__}, {cls.__name__}"
                )
            _REGISTRY[name] = cls
        cls.type = types[0]
        return cls

    return add


def known_types() -> list[str]:
    """All registered layer types, sorted."""
    return sorted(_REGISTRY)


def layer_class(name: str) -> type[Layer]:
    """The class of a registered layer type; KeyError for any other."""
    return _REGISTRY[name]


def check_types(definitions: Iterable["LayerDefinition"]) -> None:
    """A DeepLabError that tells of all layers whose type we lack, and the nearest ones; else nothing."""
    lacking: dict[str, list[LayerDefinition]] = {}
    for definition in definitions:
        if definition.type not in _REGISTRY:
            lacking.setdefault(definition.type, []).append(definition)
    if not lacking:
        return
    reasons = []
    for kind, layers in lacking.items():
        near = difflib.get_close_matches(kind, _REGISTRY, 1, 0.75)
        reason = FOREIGN_TYPES.get(kind) or (f"did you mean {near[0]}?" if near else "")
        places = ", ".join(str(layer.line) for layer in layers[:5]) + (", ..." if len(layers) > 5 else "")
        reasons.append(f"{kind} (line {places}{'; ' if reason else ''}{reason})")
    first = next(iter(lacking.values()))[0]
    what = "unknown layer type" if len(lacking) == 1 else f"{len(lacking)} unknown layer types:"
    raise first.error("type", f"{what} {', '.join(reasons)}")


def create_all(definitions: Sequence["LayerDefinition"], context: Context) -> list[Layer]:
    """`create` of each; unknown types are told of all at once."""
    check_types(definitions)
    return [create(definition, context) for definition in definitions]


def create(definition: "LayerDefinition", context: Context) -> Layer:
    """Makes the layer a definition asks for; an unknown type is an error that says what is known of it."""
    check_types([definition])
    return _REGISTRY[definition.type](definition, context)
