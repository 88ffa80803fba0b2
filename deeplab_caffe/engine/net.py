"""The net: layers in prototxt order, shapes before data, memory reused, parameters stored once."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import torch

from .. import ops
from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition, ParamSpec
from ..formats.prototxt import read_net
from ..layers import Context, Layer, create
from ..layers.parameters import fillers
from ..layers.parameters.parameter import Parameter
from ..layers.parameters.weight_memory import WeightMemory
from ..ops.devices import torch_precision, usable_device
from . import dag, memory
from .cuda_graph import StreamOrder
from .dag import Graph, Step, Value
from .module import NetModule, TrainResult
from .schedule import Fused, OnLayer, Schedule, Shape, Tensor, make_schedule, plain
from .weights import WeightReport, load_weights, save_weights

PRECISIONS = ("exact", "fp32", "bf16")
GPU_PRECISIONS = ("exact", "fp32", "tf32", "bf16", "fp16")


class Net:
    """A Caffe net, ready to run.

    model: path of a prototxt, or a NetDefinition. weights: path of a caffemodel; without, parameters start
    from their fillers. phase, level, stages: which layers of the prototxt take part. variables: values for
    `${NAME}`. precision: "exact" gives the original program's bits; "fp32" makes one factor and one summand
    per channel of BatchNorm and Scale behind a convolution; "bf16" is torch's fastest. threads: CPU threads,
    None for torch's setting. keep_blobs: no blob's memory is reused, all can be read from `blobs` after a
    forward. inputs: blobs (with shapes) that forward will be given in place of what the net's own data layers
    produce; layers that need anything else of those data layers are left out. seed: of the random fillers and
    of what is random in TRAIN phase; rank, ranks: see layers.Context.
    device: "cpu", "cuda" or "cuda:1"; on a GPU all blobs and parameters live there, forwards join torch's
    current stream, and "tf32" and "fp16" are precisions, too. A forward with the sizes of the one before is
    then a CUDA graph, unless cuda_graph is False. Layers without kernels for a GPU (`Layer.on_device`) run in
    main memory. weight_memory: bytes of memory for the weights, at least as many as the largest layer needs;
    the others are streamed: read from the caffemodel, which nobody may write to meanwhile, in each forward.
    For exact and fp32 on the CPU; HDF5 weights, and parameters that are written or trained, are in memory all
    the same. None: so are all.

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
    ) -> None:
        context = _context(phase, device, precision, threads)
        self.context = replace(context, seed=seed, rank=rank, ranks=ranks)
        self._weight_memory = None if weight_memory is None else _weight_memory(weight_memory, context)
        if not isinstance(model, NetDefinition):
            model = read_net(model, dict(variables or {}), phase=phase, level=level, stages=tuple(stages))
        self.definition = _fed_by_caller(model, dict(inputs or {}))
        self.keep_blobs = keep_blobs
        self.report: WeightReport | None = None
        self.layers: list[Layer] = [create(layer, self.context) for layer in self.definition.layers]
        self._graph: Graph = dag.connect(self.definition, self.layers)
        self._given = dict(self.definition.inputs)
        self._shapes = dag.infer(self._graph, self._given)
        self._make_parameters(seed)
        self._captures = cuda_graph and self.context.device.type == "cuda" and not keep_blobs
        self._order = StreamOrder(self.context.device)
        self._arena = memory.allocate(0, self.context.device)
        self._schedules: dict[tuple[tuple[str, ...] | None, Fused], Schedule] = {}
        self._last: dict[Value, Tensor] = {}
        self._schedule(None, "forward")
        if weights is not None:
            self.load(weights)

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
        """Parameters by layer name; `net.params["conv1"][0].data` is a tensor to read or to write."""
        return {layer.name: layer.blobs for layer in self.layers if layer.blobs}

    @property
    def blobs(self) -> dict[str, Tensor]:
        """All blobs by name, as the last forward left them.

        One whose memory has been reused is a tensor on torch's "meta" device: a shape without values.
        """
        return {
            name: self._last[value]
            if value in self._last
            else torch.empty(self._shapes[value], device="meta")
            for name, value in self._graph.blobs.items()
        }

    def load(self, weights: str | PathLike[str]) -> WeightReport:
        """Reads a caffemodel; the report (also `self.report`) names the layers that did not match."""
        self.report = load_weights(weights, self.layers, self._weight_memory)
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
        theirs = {layer.name: layer.blobs for layer in other.layers if layer.blobs}
        for layer in self.layers:
            blobs = theirs.get(layer.name, layer.blobs)
            for i, (own, blob) in enumerate(zip(layer.blobs, blobs, strict=False)):
                if own.shape != blob.shape:
                    shapes = f"{dag.text(own.shape)}, in the other net {dag.text(blob.shape)}"
                    raise layer.error("param", f"parameter {i} is {shapes}")
                layer.blobs[i] = blob

    def module(self) -> "NetModule":
        """The net as a torch.nn.Module whose parameters an optimizer updates; see NetModule."""
        return NetModule(self)

    def reshape(self, **shapes: Shape) -> None:
        """Sets the shapes of inputs, and from them all others; a DeepLabError leaves the net as it was."""
        for name in shapes:
            self._check_input(name)
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
        {top: tensor}) right after each layer, none of them fused; the tensors are valid during the call.
        """
        given = {name: self._tensor(name, value) for name, value in inputs.items()}
        self._follow({name: tuple(tensor.shape) for name, tensor in given.items()})
        fused = "forward" if on_layer is None else "no"
        schedule = self._schedule(None if outputs is None else tuple(outputs), fused)
        values = {self._graph.inputs[name]: tensor for name, tensor in given.items()}
        self._check_given(schedule, values)
        self._last = {}
        with torch.no_grad(), self._order.forward(), torch_threads(self.context.threads):
            if self.context.runs_forward:
                self._grow(schedule.plan.arena)

            def run(values: dict[Value, Tensor]) -> dict[str, Tensor]:
                if self.context.runs_forward:
                    schedule.run_forward(values, self._arena, on_layer)
                else:
                    with torch_precision(self.context.precision):
                        schedule.run_fast(values, self.context.device, on_layer)
                return {name: plain(values[value]) for name, value in schedule.outputs.items()}

            if on_layer is None:
                results = schedule.runner(run, values, self._addresses())
            else:
                results = run(values)
        self._last = {value: tensor for value, tensor in values.items() if value in schedule.held}
        theirs = {tensor.untyped_storage().data_ptr() for tensor in given.values()}
        for name, result in results.items():
            if result.untyped_storage().data_ptr() in theirs:
                results[name] = result.clone()
        return results

    def forward_train(
        self, outputs: Iterable[str] | None = None, on_layer: OnLayer | None = None, **inputs: Any
    ) -> TrainResult:
        """`forward` for autograd: outputs and the loss can be differentiated in the parameters and inputs.

        Arguments as those of `forward`. The loss is Caffe's: the sum of all tops by their loss_weight.
        """
        given = {name: self._tensor(name, value, differentiable=True) for name, value in inputs.items()}
        self._follow({name: tuple(tensor.shape) for name, tensor in given.items()})
        fused = "training" if on_layer is None else "no"
        schedule = self._schedule(None if outputs is None else tuple(outputs), fused)
        values = {self._graph.inputs[name]: tensor for name, tensor in given.items()}
        self._check_given(schedule, values)
        losses: list[Tensor] = []

        def watch(index: int, layer: Layer, tops: dict[str, Tensor]) -> None:
            for weight, top in zip(layer.loss_weights, tops.values(), strict=True):
                if weight:
                    losses.append(top.sum() if weight == 1 else weight * top.sum())
            if on_layer is not None:
                on_layer(index, layer, tops)

        with torch_threads(self.context.threads), torch_precision(self.context.precision):
            schedule.run_train(values, watch)
        self._last = {}
        loss = sum(losses[1:], losses[0]) if losses else torch.zeros((), device=self.context.device)
        return TrainResult(loss, {name: values[value] for name, value in schedule.outputs.items()})

    def __call__(self, *positional: Any, **inputs: Any) -> Tensor | dict[str, Tensor]:
        """`forward` with inputs by position or name; a single output is returned bare."""
        if len(positional) > len(self._graph.inputs):
            raise DeepLabError(f"{len(positional)} inputs given, the net has {len(self._graph.inputs)}")
        results = self.forward(**dict(zip(self._graph.inputs, positional, strict=False)), **inputs)
        return next(iter(results.values())) if len(results) == 1 else results

    def _make_parameters(self, seed: int) -> None:
        """One Parameter for each blob of each layer, the same object where `param { name }` says so."""
        named: dict[str, tuple[Layer, Parameter]] = {}
        for number, step in enumerate(self._graph.steps):
            layer = step.layer
            for i, shape in enumerate(self._parameter_shapes(step)):
                specs = layer.definition.params
                spec = specs[i] if i < len(specs) else ParamSpec()
                name = spec.name
                owner, parameter = named.get(name, (layer, None))
                if parameter is None:
                    make = fillers.maker(layer, i, shape, 1_000_003 * seed + number)
                    rate = spec.lr_mult if layer.learns else 0.0
                    parameter = Parameter(shape, make, rate, spec.decay_mult, self.context.device)
                    if name:
                        named[name] = layer, parameter
                elif parameter.shape != shape:
                    theirs = f"{dag.text(parameter.shape)} in layer '{owner.name}'"
                    raise layer.error("param", f"'{name}' is {theirs}, {dag.text(shape)} here")
                layer.blobs.append(parameter)

    def _parameter_shapes(self, step: Step) -> list[Shape]:
        shapes = step.layer.blob_shapes([self._shapes[value] for value in step.bottoms])
        return [tuple(int(size) for size in shape) for shape in shapes]

    def _addresses(self) -> tuple[Hashable, ...]:
        """What changes whenever the memory that a run reads besides its inputs does."""
        return self._arena.data_ptr(), *(blob.version for layer in self.layers for blob in layer.blobs)

    def _check_given(self, schedule: Schedule, values: dict[Value, Tensor]) -> None:
        for name, value in self._graph.inputs.items():
            if value in schedule.inputs and value not in values:
                raise DeepLabError(f"{self.definition.source}: input '{name}' is missing")

    def _check_input(self, name: str) -> None:
        if name not in self._graph.inputs:
            known = ", ".join(self._graph.inputs) or "none, its data layers feed the net"
            raise DeepLabError(f"{self.definition.source}: no input is named '{name}'; inputs: {known}")

    def _tensor(self, name: str, value: Any, differentiable: bool = False) -> Tensor:
        """A caller's array as a contiguous float32 tensor, without a copy where it is one.

        differentiable: one that has a gradient, or is float64, stays as it is.
        """
        self._check_input(name)
        try:
            tensor = value if isinstance(value, Tensor) else torch.from_numpy(np.ascontiguousarray(value))
        except TypeError:
            kind = getattr(value, "dtype", type(value).__name__)
            raise DeepLabError(f"input '{name}': {kind} given, numbers wanted") from None
        if tensor.is_complex():
            raise DeepLabError(f"input '{name}': {tensor.dtype} given, real numbers wanted")
        wanted, shape = len(self._shapes[self._graph.inputs[name]]), tuple(tensor.shape)
        if len(shape) != wanted:
            raise DeepLabError(f"input '{name}': {dag.text(shape)} given, {wanted} dimensions wanted")
        tensor = tensor.to(self.context.device)
        if differentiable and (tensor.requires_grad or tensor.dtype == torch.float64):
            return tensor
        return plain(tensor.detach())

    def _follow(self, given: dict[str, Shape]) -> None:
        """Reshapes if the inputs, or what the data layers are about to give, have changed their size."""
        changed = any(self._shapes[self._graph.inputs[name]] != shape for name, shape in given.items())
        if changed:
            self.reshape(**given)
            return
        for step in self._graph.steps:
            if not step.bottoms and not step.layer.fed:
                now = [tuple(shape) for shape in step.layer.shape([])]
                if now != [self._shapes[value] for value in step.tops]:
                    self._reshape()
                    return

    def _reshape(self) -> None:
        self._shapes = dag.infer(self._graph, self._given)
        for step in self._graph.steps:
            for i, shape in enumerate(self._parameter_shapes(step)):
                if shape != step.layer.blobs[i].shape:
                    is_now, wanted = dag.text(step.layer.blobs[i].shape), dag.text(shape)
                    raise step.layer.error("bottom", f"parameter {i} is {is_now}, this input wants {wanted}")
        self._schedules.clear()
        self._last.clear()
        self._schedule(None, "forward")

    def _schedule(self, outputs: tuple[str, ...] | None, fused: Fused) -> Schedule:
        """The steps and memory for these outputs (None: the net's own), planned once per set of shapes."""
        if (outputs, fused) not in self._schedules:
            chosen = self._graph.outputs()
            if outputs is not None:
                unknown = [name for name in outputs if name not in self._graph.blobs]
                if unknown:
                    raise DeepLabError(f"{self.definition.source}: no blob is named '{unknown[0]}'")
                chosen = {name: self._graph.blobs[name] for name in outputs}
            threads = self.context.threads or torch.get_num_threads()
            plain_forward = fused == "forward" and self.context.runs_forward
            on_gpu = ops.backend_of(self.context.device).is_gpu
            in_bands = plain_forward and not self.keep_blobs and not on_gpu
            schedule = make_schedule(
                self._graph,
                self._shapes,
                chosen,
                fused,
                self.keep_blobs,
                self._captures,
                threads if in_bands else None,
                self._weight_memory is not None,
            )
            parameters = {id(p): p for layer in self.layers for p in layer.blobs}.values()
            unmade = sum(memory.FLOAT * parameter.count for parameter in parameters if not parameter.made)
            schedule.check_memory(unmade, memory.FLOAT * self._arena.numel(), self.context.device)
            self._schedules[outputs, fused] = schedule
        return self._schedules[outputs, fused]

    def _grow(self, size: int) -> None:
        if memory.FLOAT * self._arena.numel() < size:
            self._arena = memory.allocate(0, self.context.device)
            self._arena = memory.allocate(size, self.context.device)


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """Gives torch's own operators the net's number of threads, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def precisions(device: torch.device) -> tuple[str, ...]:
    """The precisions a net can have on a device."""
    return GPU_PRECISIONS if ops.backend_of(device).is_gpu else PRECISIONS


def _context(phase: str, device: str | torch.device, precision: str, threads: int | None) -> Context:
    if phase not in ("train", "test"):
        raise DeepLabError(f"phase: {phase} given, train or test wanted")
    found = usable_device(device)
    if precision not in precisions(found):
        raise DeepLabError(
            f"precision: {precision} given, on {found.type} one of {', '.join(precisions(found))} wanted"
        )
    if threads is not None and threads < 1:
        raise DeepLabError(f"threads: {threads} given, at least 1 wanted")
    return Context(phase, found, precision, threads)


def _weight_memory(limit: int, context: Context) -> WeightMemory:
    if limit < 0:
        raise DeepLabError(f"weight_memory: {limit} given, at least 0 wanted")
    if not context.runs_forward or context.device.type != "cpu":
        place = f"{context.precision} on {context.device.type}"
        raise DeepLabError(f"weight_memory: weights are streamed in exact and fp32 on cpu, not {place}")
    return WeightMemory(limit)


def _fed_by_caller(definition: NetDefinition, inputs: dict[str, Shape]) -> NetDefinition:
    """The net with `inputs` given from outside; see Net."""
    layers, lost = [], set()
    known = set(definition.inputs)
    for layer in definition.layers:
        replaced = not layer.bottoms and not inputs.keys().isdisjoint(layer.tops)
        if replaced or not lost.isdisjoint(layer.bottoms):
            known |= set(layer.tops)
            lost |= set(layer.tops) - inputs.keys()
        else:
            layers.append(layer)
    for name in inputs:
        if name not in known:
            raise DeepLabError(f"{definition.source}: inputs: no data layer or input gives a blob '{name}'")
    return replace(definition, inputs=definition.inputs | inputs, layers=tuple(layers))
