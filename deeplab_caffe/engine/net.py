"""The net: layers in prototxt order, shapes before data, memory reused, parameters stored once."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

import torch
from torch import Tensor

from ..assets.models import weights_path
from ..errors import DeepLabError, DeepLabWarning
from ..formats.net_definition import NetDefinition
from ..layers import Layer
from ..layers.base import create_all
from ..layers.parameters.parameter import Parameter
from ..ops.devices import torch_precision
from ..threads import at_work
from ..types import Shape
from . import dag
from .context import make_context, make_weight_memory
from .copying import restore, same_kernels, sharing_copy, state_of
from .cuda_graph import StreamOrder
from .dag import Values
from .execution import Execution, OnLayer, run_train, torch_threads
from .inputs import as_tensors, check_names, from_memory
from .module import NetModule, TrainResult
from .parameters import check_parameters, make_parameters, share_parameters
from .passes.needed import needed
from .plans import Plans, Run
from .read_model import read_model
from .reused_blob import blobs_of
from .weights import WeightReport, load_weights, save_weights


class Net:
    """A Caffe net, ready to run.

    model: path of a prototxt, name of a net that ships ("deeplab_v1/largefov"), or a NetDefinition. weights:
    path of a caffemodel; without, parameters start from their fillers. phase, level, stages: which layers of
    the prototxt take part. variables: values for `${NAME}`. precision: "exact" gives the original program's
    bits; "fp32" makes one factor and one summand per channel of BatchNorm and Scale behind a convolution;
    "bf16" is torch's fastest. threads: CPU threads, None for torch's setting. keep_blobs: no blob's memory is
    reused, all can be read from `blobs` after a forward. inputs: blobs (with shapes) that forward will be
    given in place of what the net's own data layers produce; layers that need anything else of those data
    layers are left out. seed: of the random fillers and of what is random in TRAIN phase; rank, ranks: see
    layers.Context.
    device: "cpu", "cuda" or "cuda:1"; on a GPU all blobs and parameters live there, forwards join torch's
    current stream, and "tf32" and "fp16" are precisions, too. A forward with the sizes of the one before is
    launched as a CUDA graph, unless cuda_graph is False. Layers without kernels for a GPU (`Layer.on_device`)
    run in main memory. weight_memory: bytes of memory for the weights, at least as many as the largest layer
    needs; those that do not fit are read from the caffemodel in each forward, so nobody may write to it then.
    For exact and fp32 on the CPU; HDF5 weights, and parameters that are written or trained, are in memory all
    the same. None: all weights are in memory. python_layers: lets layers of type Python run their code.
    dialect: see read_net.

    Raises DeepLabError for anything wrong with the files, or if the net needs more memory than there is.
    """

    def __init__(
        self,
        model: str | PathLike[str] | NetDefinition,
        weights: str | PathLike[str] | None = None,
        phase: str = "test",
        variables: Mapping[str, str] | None = None,
        device: str | torch.device = "cpu",
        precision: str = "exact",
        threads: int | None = None,
        keep_blobs: bool = False,
        level: int = 0,
        stages: Iterable[str] = (),
        inputs: Mapping[str, Shape] | None = None,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        cuda_graph: bool = True,
        weight_memory: int | None = None,
        python_layers: bool = False,
        dialect: str | None = None,
    ) -> None:
        self.options = {"keep_blobs": keep_blobs, "cuda_graph": cuda_graph, "weight_memory": weight_memory}
        context = make_context(phase, device, precision, threads)
        self.context = replace(context, seed=seed, rank=rank, ranks=ranks, python_layers=python_layers)
        self._weight_memory = make_weight_memory(weight_memory, context)
        if not isinstance(model, NetDefinition):
            model = read_model(model, variables, phase, level, stages, dialect)
        self.definition = dag.fed_by_caller(model, dict(inputs or {}))
        self.keep_blobs = keep_blobs
        self.report: WeightReport | None = None
        self.layers = create_all(self.definition.layers, self.context)
        self._graph = dag.connect(self.definition, self.layers)
        self._given = dict(self.definition.inputs)
        self._shapes = dag.infer(self._graph, self._given)
        make_parameters(self._graph, self._shapes, seed, self.context.device)
        self._order = StreamOrder(self.context.device)
        captures = cuda_graph and self.device.type == "cuda" and not keep_blobs
        streamed, source = weight_memory is not None, self.definition.source
        self._plans = Plans(self._graph, self.context, source, keep_blobs, streamed, captures)
        self._plans.start(self._shapes, self.context)
        self._last: Values = {}
        if weights is not None:
            self.load(weights)

    def __getstate__(self) -> dict[str, Any]:
        return state_of(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        with same_kernels(state):
            Net.__init__(self, state["definition"], **state["options"])
        restore(self, state)

    def __copy__(self) -> "Net":
        """Another net with the same parameters, as `share` gives them."""
        return self.sharing()

    def sharing(self, **options: Any) -> "Net":
        """Another net with the same parameters, for another Python thread; options: those that differ."""
        return sharing_copy(self, **options)

    @property
    def streamed(self) -> bool:
        """Whether weights are read from their file in each forward (weight_memory)."""
        return self._weight_memory is not None

    @property
    def independent(self) -> bool:
        """Whether what a forward gives depends on its inputs alone, and it leaves nothing else behind."""
        feeds = [node for node in self._graph.nodes if not node.bottoms and not node.layer.fed_by_caller]
        return self.phase == "test" and not feeds and not any(layer.remembers for layer in self.layers)

    @property
    def blob_memory(self) -> int:
        """Bytes of the blobs that a forward of the current shapes needs at the same time."""
        return self._plans.execution(None, "forward").schedule.plan.total

    @property
    def phase(self) -> str:
        """ "train" or "test": what Dropout and BatchNorm do. (Which layers there are was settled before.)"""
        return self.context.phase

    @phase.setter
    def phase(self, phase: str) -> None:
        before = self.phase
        if phase == before:
            return
        for layer in self.layers:
            layer.follow_phase(phase)
        self.context = replace(self.context, phase=phase)
        try:
            self._reshape()
        except DeepLabError:
            self.phase = before
            raise

    @property
    def device(self) -> torch.device:
        """Where it computes, and its parameters are."""
        return self.context.device

    @property
    def inputs(self) -> dict[str, Shape]:
        """The blobs that forward must be given, with their current shapes."""
        return {name: self._shapes[value] for name, value in self._graph.inputs.items()}

    @property
    def outputs(self) -> dict[str, Shape]:
        """The blobs that no layer reads, which forward returns, with their current shapes."""
        return {name: self._shapes[value] for name, value in self._graph.outputs().items()}

    @property
    def params(self) -> dict[str, list[Parameter]]:
        """Parameters by layer name; `net.params["conv1"][0].data` is a tensor to read or to write.

        Shapes are Caffe's: in DeepLab v1's dialect a bias has four axes. `module()` has PyTorch's.
        """
        return {layer.name: layer.blobs for layer in self.layers if layer.blobs}

    @property
    def blobs(self) -> dict[str, Tensor]:
        """All blobs by name, as the last forward left them.

        One whose memory was used again has a shape only; to read its values is a DeepLabError, which says how
        to keep them (keep_blobs).
        """
        return blobs_of(self._graph, self._last, self._shapes, self.keep_blobs, self.context.precision)

    def load(self, weights: str | PathLike[str]) -> WeightReport:
        """Reads a caffemodel; the report (also `self.report`) names the layers that did not match.

        Layers with parameters that the file has no weights for keep their values: a DeepLabWarning says so.
        """
        report = self.report = load_weights(weights_path(weights), self.layers, self._weight_memory)
        if problem := report.unfilled():
            warnings.warn(problem, DeepLabWarning, stacklevel=2)
        return report

    def fill(self, weights: str | PathLike[str], layers: Iterable[Layer] | None = None) -> WeightReport:
        """`load` of weights that must fill these layers (None: all); else a DeepLabError lists both sides."""
        self.report = load_weights(weights_path(weights), self.layers, self._weight_memory)
        if problem := self.report.unfilled(None if layers is None else (layer.name for layer in layers)):
            raise DeepLabError(problem)
        return self.report

    def save(self, path: str | PathLike[str], layout: str = "v2") -> None:
        """Writes the parameters as a caffemodel, in the V2 layout or V1 ("v1")."""
        save_weights(path, self.layers, layout)

    def seek(self, passes: int) -> None:
        """Makes the next forward number `passes`, counted from 0, for what is random or reads a stream."""
        for layer in self.layers:
            layer.seek(passes)

    def share(self, other: "Net") -> None:
        """Takes the parameters of `other` for the layers of the same name (Caffe's test nets): no copies.

        Raises DeepLabError where shapes differ.
        """
        share_parameters(self.layers, other.layers)

    def layers_for(self, outputs: Iterable[str]) -> list[Layer]:
        """The layers without which these blobs cannot be computed, in order."""
        nodes = needed(self._graph.nodes, self._plans.find(tuple(outputs)).values())
        return [node.layer for node in nodes]

    def shapes_for(self, **inputs: Shape) -> dict[str, Shape]:
        """The shapes of all blobs for inputs of these shapes, the others as they are; nothing is reshaped.

        Raises DeepLabError where layers do not fit.
        """
        check_names(inputs, self.inputs, self.definition.source)
        shapes = dag.infer(self._graph, self._given | inputs)
        return {name: shapes[value] for name, value in self._graph.blobs.items()}

    def module(self) -> NetModule:
        """The net as a torch.nn.Module whose parameters an optimizer updates; see NetModule."""
        return NetModule(self)

    def reshape(self, **shapes: Shape) -> None:
        """Sets the shapes of inputs, and from them all others; a DeepLabError leaves the net as it was."""
        check_names(shapes, self.inputs, self.definition.source)
        before = self._given, self._shapes
        self._given = self._given | {name: tuple(map(int, shape)) for name, shape in shapes.items()}
        try:
            self._reshape()
        except DeepLabError:
            self._given, self._shapes = before
            self._reshape()
            raise

    def forward(
        self, outputs: Iterable[str] | None = None, on_layer: OnLayer | None = None, **inputs: Any
    ) -> dict[str, Tensor]:
        """Runs the net and returns its outputs: float32, not touched by later forwards.

        inputs: a numpy array or tensor for each of `self.inputs`; contiguous float32 is not copied. Another
        size reshapes the net. Layers without bottoms (data layers) feed themselves. outputs: blobs to return
        instead, by name; layers these do not need do not run. on_layer: called as on_layer(index, layer,
        {top: tensor}) right after each layer; the tensors are valid during the call. They are what this
        precision computes: in all but exact, layers that another one does the work of have no tops, and the
        last of them is called for, with what all of them give.
        """
        given = as_tensors(from_memory(self.layers, inputs), self.inputs, self.definition.source, self.device)
        execution, values = self._prepared(outputs, given, "forward" if on_layer is None else "watched")
        versions = tuple(blob.version for layer in self.layers for blob in layer.blobs)
        self._last = {}
        with at_work(), torch.no_grad(), self._order.forward(), torch_threads(self.context.threads):
            results = execution(values, versions, on_layer)
        self._last = {value: tensor for value, tensor in values.items() if value in execution.schedule.kept}
        theirs = {tensor.untyped_storage().data_ptr() for tensor in given.values()}
        shared = {name for name, x in results.items() if x.untyped_storage().data_ptr() in theirs}
        return results | {name: results[name].clone() for name in shared}

    def forward_train(
        self, outputs: Iterable[str] | None = None, on_layer: OnLayer | None = None, **inputs: Any
    ) -> TrainResult:
        """`forward` for autograd: outputs and the loss can be differentiated in the parameters and inputs.

        Arguments as those of `forward`. The loss is Caffe's: the sum of all tops by their loss_weight.
        """
        inputs = from_memory(self.layers, inputs)
        given = as_tensors(inputs, self.inputs, self.definition.source, self.device, differentiable=True)
        execution, values = self._prepared(
            outputs, given, "training" if on_layer is None else "watched training"
        )
        with at_work(), torch_threads(self.context.threads), torch_precision(self.context.precision):
            loss = run_train(execution.schedule, values, self.context.device, on_layer)
        self._last = {}
        return TrainResult(loss, {name: values[value] for name, value in execution.schedule.outputs.items()})

    def __call__(self, *positional: Any, **inputs: Any) -> Tensor | dict[str, Tensor]:
        """`forward` with inputs by position or name; a single output is returned bare."""
        if len(positional) > len(self._graph.inputs):
            raise DeepLabError(f"{len(positional)} inputs given, the net has {len(self._graph.inputs)}")
        results = self.forward(**dict(zip(self._graph.inputs, positional, strict=False)), **inputs)
        return next(iter(results.values())) if len(results) == 1 else results

    def _prepared(
        self, outputs: Iterable[str] | None, given: dict[str, Tensor], run: Run
    ) -> tuple[Execution, Values]:
        """What runs for these inputs, of which none may be missing, and the values to start with."""
        self._follow({name: tuple(tensor.shape) for name, tensor in given.items()})
        execution = self._plans.execution(None if outputs is None else tuple(outputs), run)
        for name, value in self._graph.inputs.items():
            if value in execution.schedule.inputs and name not in given:
                raise DeepLabError(f"{self.definition.source}: input '{name}' is missing")
        return execution, {self._graph.inputs[name]: tensor for name, tensor in given.items()}

    def _follow(self, given: dict[str, Shape]) -> None:
        """Reshapes if the inputs, or what the data layers are about to give, have changed their size."""
        changed = any(self._shapes[self._graph.inputs[name]] != shape for name, shape in given.items())
        if changed:
            self.reshape(**given)
            return
        for node in self._graph.nodes:
            if not node.bottoms and not node.layer.fed_by_caller:
                now = [tuple(shape) for shape in node.layer.shape([])]
                if now != [self._shapes[value] for value in node.tops]:
                    self._reshape()
                    return

    def _reshape(self) -> None:
        self._shapes = dag.infer(self._graph, self._given)
        check_parameters(self._graph, self._shapes)
        self._last.clear()
        self._plans.start(self._shapes, self.context)
