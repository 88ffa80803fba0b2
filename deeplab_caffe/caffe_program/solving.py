"""A training that is told in Caffe's lines, and what signals do to it."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
from typing_extensions import override

from ..errors import DeepLabError
from ..solver.loop import Loop, Stop
from ..solver.snapshot import paths
from ..solver.solver import Solver, Step
from .glog import Log
from .scores import average, scores

_F = np.float32
SOLVER, SGD = "solver.cpp", "sgd_solver.cpp"
EFFECTS = ("snapshot", "stop", "none")


class Training(Loop):
    """A Loop whose displays, tests and snapshots go to a log in the form that Caffe's scripts read."""

    def __init__(self, solver: Solver, glog: Log) -> None:
        super().__init__(solver)
        self.glog = glog
        self.stop = Stop()
        self._smoothed, self._start = _F(0), solver.iteration
        self._recent: list[np.float32] = []
        self._shown, self._clock = solver.iteration, time.perf_counter()

    @override
    def run(self, stop: Stop | None = None) -> bool:
        """As Loop.run, with a first and, if it was stopped, a last line."""
        self.stop = stop or self.stop
        self.glog.info(SOLVER, f"Solving {self.solver.net.definition.name}")
        self.glog.info(SOLVER, f"Learning Rate Policy: {self.param.lr_policy}")
        done = super().run(self.stop)
        self.glog.info(SOLVER, "Optimization Done." if done else "Optimization stopped early.")
        return done

    @override
    def _displays(self, step: Step) -> bool:
        self._smooth(step.loss, step.iteration)
        return super()._displays(step)

    @override
    def _display(self, step: Step) -> None:
        self._line(step.iteration)
        net = self.solver.net
        for number, score in enumerate(scores(net, step.outputs)):
            self.glog.info(SOLVER, f"    Train net output #{number}: {score}")
        self.glog.info(SGD, f"Iteration {step.iteration}, lr = {step.rate:.6g}")
        seconds, done = time.perf_counter() - self._clock, step.iteration - self._shown
        if done > 0 and seconds > 0:
            self.glog.info(SOLVER, f"    Speed: {done / seconds:.6g} iter/s, {seconds:.6g}s/{done} iters")
        self._shown, self._clock = step.iteration, time.perf_counter()

    @override
    def _finish(self) -> None:
        """The finished net's loss, then its tests; Caffe shows no outputs here."""
        if self._due(self.param.display):
            self._smooth(self.solver.look().loss, self.solver.iteration)
            self._line(self.solver.iteration)
        if self._due(self.param.test_interval):
            self._test()

    @override
    def _test(self) -> None:
        solver, log = self.solver, self.glog
        for number in range(len(solver.test_nets)):
            log.info(SOLVER, f"Iteration {solver.iteration}, Testing net (#{number})")
            found = average(*solver.test_net(number), go_on=self._go_on)
            if found is None:
                log.info(SOLVER, "Test interrupted.")
                return
            if self.param.test_compute_loss:
                log.info(SOLVER, f"Test loss: {found.loss:.6g}")
            for index, score in enumerate(found.scores):
                log.info(SOLVER, f"    Test net output #{index}: {score}")

    @override
    def _snapshot(self) -> int:
        solver = self.solver
        if solver.peers.first:
            hdf5 = self.param.snapshot_format == self.param.HDF5
            model, state = paths(solver.settings.prefix, solver.iteration, hdf5)
            kind = "HDF5" if hdf5 else "binary proto"
            self.glog.info(SOLVER, f"Snapshotting to {kind} file {model}")
            solver.save()
            self.glog.info(SGD, f"Snapshotting solver state to {kind} file {state}")
        return solver.iteration

    def _go_on(self) -> bool:
        """Between the runs of a test: writes a snapshot that is asked for."""
        if self.stop.take_snapshot():
            self._snapshot()
        return not self.stop.asked

    def _line(self, iteration: int) -> None:
        self.glog.info(SOLVER, f"Iteration {iteration}, loss = {self._smoothed:.6g}")

    def _smooth(self, loss: float, iteration: int) -> None:
        """The mean of the last average_loss losses, in float32 and in Caffe's order."""
        recent, most = self._recent, self.param.average_loss
        if len(recent) < most:
            recent.append(_F(loss))
            self._smoothed = _F((self._smoothed * _F(len(recent) - 1) + _F(loss)) / _F(len(recent)))
            return
        index = (iteration - self._start) % most
        self._smoothed = _F(self._smoothed + (_F(loss) - recent[index]) / _F(most))
        recent[index] = _F(loss)


@contextmanager
def on_signals(stop: Stop, sigint: str, sighup: str) -> Iterator[None]:
    """Within the block SIGINT and SIGHUP do to a training what these words say: snapshot, stop or none."""
    effects = {signal.SIGINT: sigint, signal.SIGHUP: sighup} if hasattr(signal, "SIGHUP") else {}
    for name, effect in (("sigint_effect", sigint), ("sighup_effect", sighup)):
        if effect not in EFFECTS:
            raise DeepLabError(f"--{name}={effect}: one of {', '.join(EFFECTS)} wanted")
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        effect = effects[signal.Signals(number)]
        stop.asked |= effect == "stop"
        stop.snapshot |= effect == "snapshot"

    before: dict[int, Any] = {number: signal.signal(number, handle) for number in effects}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
