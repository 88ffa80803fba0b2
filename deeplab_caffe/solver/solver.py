"""Caffe's solver: one iteration, one test, snapshots. The loop around it is in loop.py."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from os import PathLike, fspath

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from ..autograd import accumulating
from ..engine.execution import torch_threads
from ..engine.module import NetModule, TrainResult
from ..engine.net import Net
from ..engine.weights import WeightReport, load_weights, save_weights
from ..errors import DeepLabError, OutOfMemoryError, is_out_of_memory, reason_of
from ..formats.hdf5_snapshot import write_hdf5_state
from ..formats.records import SolverState
from ..formats.solverstate import read_solverstate, write_solverstate
from ..layers.memory_data import MemoryData
from . import snapshot
from .distributed import Peers, layers_before_losses, parallel
from .learning_rate import LearningRate
from .settings import Settings
from .updates import HISTORIES, Trained, Updater


@dataclass(frozen=True)
class Step:
    """What one iteration gave: its number (from 0), loss, learning rate, outputs of the net by blob name."""

    iteration: int
    loss: float
    rate: float
    outputs: dict[str, Tensor]


class LossError(DeepLabError):
    """The loss is not a number."""


class Solver:
    """Trains a net by a solver.prototxt.

    Everything random depends on random_seed and the iteration alone, and the state between iterations is the
    parameters, their history and the iteration: so a run that goes on from a snapshot gives the bits of the
    uninterrupted one (on the CPU, with the same number of threads and processes).

    device, precision, threads: as for Net. peers: the processes that train together; the gradient is the mean
    of theirs. make_net: what makes the nets, as Net does. fed_by_caller: whether the caller sees to the net's
    inputs; else it must have none.
    """

    def __init__(
        self,
        settings: Settings,
        device: str = "cpu",
        precision: str = "exact",
        threads: int | None = None,
        peers: Peers | None = None,
        make_net: Callable[..., Net] = Net,
        fed_by_caller: bool = False,
    ) -> None:
        self.settings, self.param, self.peers = settings, settings.param, peers or Peers()
        make_net = partial(make_net, device=device, precision=precision, threads=threads)
        self.net = make_net(
            settings.train_net,
            phase="train",
            seed=settings.seed,
            rank=self.peers.rank,
            ranks=self.peers.count,
        )
        memory = [layer for layer in self.net.layers if isinstance(layer, MemoryData)]
        names = ", ".join(self.net.inputs.keys() - {top for m in memory for top in m.definition.tops})
        if names and not fed_by_caller:
            raise DeepLabError(f"{self.net.definition.source}: input {names}: a net to train feeds itself")
        self.module: NetModule = self.net.module()
        self.test_nets: list[Net] = []
        # The others wait for the first one's tests.
        for phase in settings.test_phases if self.peers.first else ():
            self.test_nets.append(make_net(phase.net, phase="test"))
            self.test_nets[-1].share(self.net)
        self.learnables = self.module.learnables()
        self.trained = {
            index: Trained(found.tensor, found.lr_mult, found.decay_mult)
            for index, found in enumerate(self.learnables)
            if found.lr_mult
        }
        before_losses = layers_before_losses(self.net.layers)
        if not before_losses:
            raise DeepLabError(f"{self.net.definition.source}: no layer gives a loss")
        if not any(self.learnables[index].layer in before_losses for index in self.trained):
            raise DeepLabError(f"{self.net.definition.source}: no layer before the loss learns")
        self.rate = LearningRate(self.param)
        self.updater = Updater(self.param, threads)
        self.threads, self.iteration = threads, 0
        self._parallel: torch.nn.Module | None = None

    @property
    def batch(self) -> int:
        """Images an iteration, those of all processes."""
        for layer in self.net.layers:
            if not layer.definition.bottoms and (shapes := layer.shape([])) and shapes[0]:
                return shapes[0][0] * self.param.iter_size * self.peers.count
        return self.param.iter_size * self.peers.count

    def load(self, weights: Iterable[str | PathLike[str]]) -> list[WeightReport]:
        """Starts from these caffemodels, a later one over an earlier one; the reports tell what fitted."""
        return [load_weights(file, self.net.layers) for file in weights]

    def step(self) -> Step:
        """One iteration: iter_size passes forward and backward, then the update.

        Raises LossError if the loss is not a number; the parameters are then those from before.
        """
        if self._parallel is None:
            self._parallel = parallel(self.module, self.peers)
            self.net.seek(self.iteration * self.param.iter_size)
        self._clear_gradients()
        with torch_threads(self.threads), accumulating(), _memory_errors():
            loss, outputs = self._passes(self._parallel)
        if not math.isfinite(loss):
            kept = snapshot.newest(self.settings.prefix)
            where = f"the newest snapshot is {kept}" if kept else "there is no snapshot yet"
            raise LossError(f"iteration {self.iteration}: the loss is {loss}; {where}")
        rate = self.rate.at(self.iteration)
        self.updater.update(list(self.trained.values()), rate, self.iteration)
        self.iteration += 1
        return Step(self.iteration - 1, loss, rate, outputs)

    def _clear_gradients(self) -> None:
        """Zeros for the exact precision to add to, as Caffe has them; nothing, for autograd to replace."""
        if self.net.context.precision != "exact":
            self.module.zero_grad(set_to_none=True)
            return
        for parameter in self.trained.values():
            values = parameter.values
            values.grad = torch.zeros_like(values) if values.grad is None else values.grad.zero_()

    def _passes(self, module: torch.nn.Module) -> tuple[float, dict[str, Tensor]]:
        """iter_size passes forward and backward: the mean loss and the last outputs; gradients are summed."""
        joined = module if isinstance(module, DistributedDataParallel) else None
        losses = []
        for number in range(self.param.iter_size):
            # Gradients travel between the processes with the last pass only.
            last = number + 1 == self.param.iter_size
            with joined.no_sync() if joined and not last else nullcontext():
                result: TrainResult = module()
                result.loss.backward()
            losses.append(result.loss.detach())
        outputs = {name: tensor.detach() for name, tensor in result.outputs.items()}
        return self.peers.mean(sum(losses[1:], losses[0]) / len(losses)), outputs

    def look(self) -> Step:
        """The loss where training stands, without an update."""
        with torch.no_grad():
            self.net.seek(self.iteration * self.param.iter_size)
            result = self.module()
        return Step(
            self.iteration, self.peers.mean(result.loss), self.rate.at(self.iteration), result.outputs
        )

    def test(self) -> list[dict[str, Tensor]]:
        """Each test net's outputs, averaged over its test_iter forwards."""
        return [average_outputs(*self.test_net(number)) for number in range(len(self.test_nets))]

    def test_net(self, number: int) -> tuple[Net, int]:
        """A test net, ready, and how often it is to be run."""
        net, iterations = self.test_nets[number], self.settings.test_phases[number].iterations
        # Where Caffe's would have come to, whether this run has been interrupted or not.
        net.seek(self.iteration // self.param.test_interval * iterations)
        return net, iterations

    def save(self) -> str:
        """Writes a snapshot, the caffemodel first; returns the path of its solverstate.

        Both are whole and on disk before they appear under their names.
        """
        hdf5 = self.param.snapshot_format == self.param.HDF5
        model, path = snapshot.paths(self.settings.prefix, self.iteration, hdf5)
        if folder := os.path.dirname(model):
            os.makedirs(folder, exist_ok=True)
        dialect = self.net.definition.dialect
        layout = "hdf5" if hdf5 else dialect.value
        save_weights(model, self.net.layers, layout, self.net.definition.name, durable=True)
        history = [blob for number in range(self._histories) for blob in self._history(number)]
        state = SolverState(self.iteration, model, history, self.rate.current_step)
        if hdf5:
            write_hdf5_state(path, state)
        else:
            write_solverstate(path, state, four_axes=dialect.four_axes)
        return path

    def restore(self, file: str | PathLike[str]) -> None:
        """Goes on from a solverstate, ours or Caffe's, and the caffemodel that belongs to it.

        Raises DeepLabError if it is one of another net or another type of solver.
        """
        source = fspath(file)
        state = read_solverstate(file)
        shapes = [tuple(found.tensor.shape) for found in self.learnables] * self._histories
        history = snapshot.fit_history(state, shapes, source)
        model = snapshot.find_model(file, state)
        report = load_weights(model, self.net.layers)
        if report.missing:
            raise DeepLabError(f"{model}: layer '{report.missing[0]}' is missing: a snapshot of another net")
        count = len(self.learnables)
        for index, parameter in self.trained.items():
            blobs = history[index::count]
            parameter.history = [blob.to(parameter.values.device).contiguous() for blob in blobs]
        self.iteration, self.rate.current_step = state.iteration, state.current_step
        self._parallel = None

    @property
    def _histories(self) -> int:
        return HISTORIES[self.param.type]

    def _history(self, number: int) -> list[Tensor]:
        """The history blob `number` of every parameter, zeros for those without."""
        blobs = []
        for index, found in enumerate(self.learnables):
            history = self.trained[index].history if index in self.trained else []
            blobs.append(history[number] if history else torch.zeros(found.tensor.shape))
        return blobs


@contextmanager
def _memory_errors() -> Iterator[None]:
    """What layers and torch say when memory runs out, with what may help."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"out of memory; a smaller batch with a larger iter_size may fit ({reason_of(error)})"
        ) from None


def average_outputs(
    net: Net, iterations: int, progress: Callable[[], object] = lambda: None
) -> dict[str, Tensor]:
    """Runs the net `iterations` times and averages each value of its outputs, as Caffe's `test` does.

    progress: called after each run.
    """
    total: dict[str, Tensor] = {}
    for _ in range(iterations):
        for name, tensor in net.forward().items():
            values = tensor.double()
            total[name] = total[name] + values if name in total else values
        progress()
    return {name: (values / iterations).float() for name, values in total.items()}
