"""Caffe's solvers as scripts have them: nets to look into between the steps."""

import os
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..engine.net import Net as EngineNet
from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..solver import read_settings
from ..solver.solver import Solver as Training
from . import mode
from .net import Net
from .solver_log import SolverLog


class SolverParameter:
    """The settings that scripts may see; `base_lr` they may change."""

    def __init__(self, param: Any) -> None:
        self._param = param

    @property
    def max_iter(self) -> int:
        """Iterations of a whole training."""
        return self._param.max_iter

    @property
    def display(self) -> int:
        """Iterations between two displays."""
        return self._param.display

    @property
    def layer_wise_reduce(self) -> bool:
        """Without effect here."""
        return self._param.layer_wise_reduce

    @property
    def base_lr(self) -> float:
        """The learning rate that the policy starts from."""
        return self._param.base_lr

    @base_lr.setter
    def base_lr(self, rate: float) -> None:
        self._param.base_lr = rate


class Solver:
    """Trains `net` by a solver prototxt; `test_nets` share its parameters.

    Raises RuntimeError if the file is not there, DeepLabError for what is wrong in it.
    """

    kind: ClassVar[str | None] = None  # None: what the file says

    def __init__(self, file: str | os.PathLike[str]) -> None:
        if not os.path.exists(file):
            raise RuntimeError(f"Could not open file {os.fspath(file)}")
        settings = read_settings(file)
        if self.kind is not None:
            settings.param.type = self.kind
        nets: list[Net] = []

        def make_net(definition: NetDefinition, phase: str, **options: Any) -> EngineNet:
            nets.append(Net.of(definition, phase, **options))
            return nets[-1].engine

        self._training = Training(settings, mode.device(), make_net=make_net, fed_by_caller=True)
        self.net, *self.test_nets = nets
        for net in self.test_nets:
            net.share_with(self.net)
        self.param = SolverParameter(settings.param)
        self._settings, self._log = settings, SolverLog(settings.param)
        self._callbacks: list[tuple[Callable[[], object], Callable[[], object]]] = []

    @property
    def iter(self) -> int:
        """Iterations done."""
        return self._training.iteration

    @property
    def lr(self) -> float:
        """The learning rate of the iteration that comes next."""
        return self._training.rate.at(self.iter)

    def add_callback(
        self, on_start: Callable[[], object], on_gradients_ready: Callable[[], object] | None = None
    ) -> None:
        """Calls on_start() before each iteration's passes, on_gradients_ready() before its update.

        One argument alone is what stands for NCCL here, which does nothing.
        """
        if on_gradients_ready is not None:
            self._callbacks.append((on_start, on_gradients_ready))
        elif not isinstance(on_start, mode.NCCL):
            raise TypeError("add_callback: on_start and on_gradients_ready wanted")

    def step(self, iterations: int) -> None:
        """That many iterations, with the tests, displays and snapshots that fall due."""
        param, training, size = self._settings.param, self._training, self._settings.param.iter_size
        self._log.start()
        for _ in range(int(iterations)):
            self.net.clear_param_diffs()
            if self._due(param.test_interval) and (self.iter or param.test_initialization):
                self._test()
            for on_start, _ready in self._callbacks:
                on_start()
            loss = 0.0
            for _pass in range(size):
                loss += self.net._forward(0, len(self.net.layers) - 1)
                self.net._backward(len(self.net.layers) - 1, 0)
            self._log.loss(loss / size)
            if self._due(param.display):
                self._log.display(self.iter, self.net)
            for _start, on_gradients_ready in self._callbacks:
                on_gradients_ready()
            self.apply_update()
            training.iteration += 1
            if self._due(param.snapshot):
                self.snapshot()

    def solve(self, resume_file: str | os.PathLike[str] | None = None) -> None:
        """Trains to max_iter, on from a solverstate if one is given."""
        param = self._settings.param
        if resume_file is not None:
            self.restore(resume_file)
        self.step(param.max_iter - self.iter)
        if param.snapshot_after_train and not (param.snapshot and self._due(param.snapshot)):
            self.snapshot()
        if self._due(param.display):
            self._log.loss(self.net._forward(0, len(self.net.layers) - 1))
            self._log.display(self.iter, None)
        if self._due(param.test_interval):
            self._test()
        self._log.done()

    def _due(self, interval: int) -> bool:
        return bool(interval) and self.iter % interval == 0

    def _test(self) -> None:
        """Each test net's outputs, averaged over its test_iter forwards, into the log."""
        for number, (phase, net) in enumerate(zip(self._settings.test_phases, self.test_nets, strict=True)):
            totals: dict[str, Tensor] = {}
            for _ in range(phase.iterations):
                net._forward(0, len(net.layers) - 1)
                for name in net.outputs:
                    values = net.blobs[name].data_tensor.double()
                    totals[name] = totals.get(name, 0) + values
            means = {name: (total / phase.iterations).flatten().tolist() for name, total in totals.items()}
            self._log.test(self.iter, number, net, means)

    @torch.no_grad()
    def apply_update(self) -> None:
        """Changes the parameters by their diffs, as the settings say; the diffs become what was taken off."""
        training, trained = self._training, list(self._training.trained.values())
        rate = training.rate.at(self.iter)
        if self._due(self._settings.param.display):
            self._log.rate(self.iter, rate)
        self.net.refresh()
        own = (blob for layer in self.net.layers for blob in layer.blobs)
        parameters = (blob for layer in self.net.engine.layers for blob in layer.blobs)
        for blob, parameter in zip(own, parameters, strict=True):
            parameter.tensor.grad = blob.diff_there.view(parameter.shape)
        before = [learned.values.clone() for learned in trained]
        training.updater.update(trained, rate, self.iter)
        for learned, values in zip(trained, before, strict=True):
            if learned.values.grad is not None:
                torch.sub(values, learned.values, out=learned.values.grad)
        self.net.renew()

    def snapshot(self) -> None:
        """Writes PREFIX_iter_N.caffemodel and .solverstate."""
        self.net.refresh()
        self._log.snapshot(self._training.save())

    def restore(self, file: str | os.PathLike[str]) -> None:
        """Goes on from a solverstate and its caffemodel."""
        if not os.path.exists(file):
            raise RuntimeError(f"Could not open file {os.fspath(file)}")
        self._training.restore(file)
        self.net.renew()

    def share_weights(self, net: Net) -> None:
        """Gives `net` the parameters of this solver's."""
        net.share_with(self.net)


class SGDSolver(Solver):
    """Stochastic gradient descent with momentum."""

    kind = "SGD"


class NesterovSolver(SGDSolver):
    """Nesterov's accelerated gradient."""

    kind = "Nesterov"


class AdaGradSolver(SGDSolver):
    """AdaGrad."""

    kind = "AdaGrad"


class RMSPropSolver(SGDSolver):
    """RMSProp."""

    kind = "RMSProp"


class AdaDeltaSolver(SGDSolver):
    """AdaDelta."""

    kind = "AdaDelta"


class AdamSolver(SGDSolver):
    """Adam."""

    kind = "Adam"


_SOLVERS: dict[str, type[Solver]] = {
    str(solver.kind): solver
    for solver in (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)
}


def get_solver(file: str | os.PathLike[str]) -> Solver:
    """The solver of the type that the file names."""
    if not os.path.exists(file):
        raise RuntimeError(f"Could not open file {os.fspath(file)}")
    kind = read_settings(file).param.type
    if kind not in _SOLVERS:
        raise DeepLabError(f"{os.fspath(file)}: type: unknown solver '{kind}'")
    return _SOLVERS[kind](file)
