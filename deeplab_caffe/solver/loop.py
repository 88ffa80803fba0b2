"""The loop around the solver: tests, display, snapshots, and an end on request."""

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ..errors import DeepLabError
from .log import TrainingLog, plain_outputs
from .solver import LossError, Solver, Step


@dataclass(frozen=True)
class Progress:
    """Where training stands: iterations done, the last loss, the mean of the last average_loss, the rate.

    images_per_second: since the display before this one; seconds_left: at this speed, tests left out.
    """

    iteration: int
    loss: float
    smoothed: float
    rate: float
    images_per_second: float
    seconds_left: float


class Stop:
    """Asks a loop to end after the iteration at hand, or for a snapshot then; see `on_signals`."""

    def __init__(self) -> None:
        self.asked = False
        self.snapshot = False

    def take_snapshot(self) -> bool:
        """Whether a snapshot has been asked for since this was asked last."""
        wanted, self.snapshot = self.snapshot, False
        return wanted

    @contextmanager
    def on_signals(self) -> Iterator["Stop"]:
        """Within the block the first SIGINT or SIGTERM asks to stop; a second SIGINT interrupts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return

        def handle(number: int, frame: FrameType | None) -> None:
            self.asked = True
            signal.signal(signal.SIGINT, signal.default_int_handler)

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Loop:
    """Runs a solver to max_iter, in Caffe's order: test, iteration, display, snapshot.

    tell: called with a line of text worth reading (displays, tests, snapshots). progress: called after every
    iteration. log: gets every display and test; None in all processes but the first.
    """

    def __init__(
        self,
        solver: Solver,
        log: TrainingLog | None = None,
        tell: Callable[[str], None] = lambda line: None,
        progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self.solver, self.param, self.log = solver, solver.param, log
        self.tell, self.progress = tell, progress
        self.losses: deque[float] = deque(maxlen=self.param.average_loss)
        self.images = 0
        self.speed = 0.0

    def run(self, stop: Stop | None = None) -> bool:
        """Trains; False if it was stopped before max_iter. A snapshot is written either way.

        An error in the data leaves one, too, if anything was learned before it.
        """
        solver, param, stop = self.solver, self.param, stop or Stop()
        started = solver.iteration
        saved = started or -1
        self.batch = solver.batch
        self._restart_clock()
        while solver.iteration < param.max_iter:
            if self._due(param.test_interval) and (solver.iteration or param.test_initialization):
                self._test()
                if solver.peers.any(stop.asked):
                    stopped = True
                    break
            try:
                step = solver.step()
            except (DeepLabError, OSError) as error:
                # The parameters are whole: only what the next iteration wanted is not there.
                if (
                    not isinstance(error, LossError)
                    and solver.iteration not in (started, saved)
                    and not solver.peers.several
                ):
                    self._snapshot()
                raise
            self.losses.append(step.loss)
            self.images += self.batch
            self.progress(self._progress(step))
            if self._displays(step):
                self._display(step)
            if stopped := solver.peers.any(stop.asked):
                break
            if stop.take_snapshot() or self._due(param.snapshot):
                saved = self._snapshot()
        else:
            stopped = False
        if saved != solver.iteration and (stopped or param.snapshot_after_train):
            self._snapshot()
        if not stopped:
            self._finish()
        return not stopped

    def _finish(self) -> None:
        """Caffe's last words: a test and the loss of the finished net."""
        if self._due(self.param.test_interval):
            self._test()
        if self._due(self.param.display):
            step = self.solver.look()
            self.losses.append(step.loss)
            self._display(step)

    def _due(self, interval: int) -> bool:
        return bool(interval) and self.solver.iteration % interval == 0

    def _displays(self, step: Step) -> bool:
        return bool(self.param.display) and step.iteration % self.param.display == 0

    def _progress(self, step: Step) -> Progress:
        seconds = time.perf_counter() - self.clock
        speed = self.images / seconds if seconds else self.speed
        left = (self.param.max_iter - self.solver.iteration) * self.batch / speed if speed else 0.0
        smoothed = sum(self.losses) / len(self.losses)
        return Progress(self.solver.iteration, step.loss, smoothed, step.rate, speed, left)

    def _display(self, step: Step) -> None:
        now = self._progress(step)
        outputs = plain_outputs(step.outputs)
        self.tell(
            f"iteration {step.iteration}: loss {now.smoothed:.6g}, lr {step.rate:.6g}"
            + (f", {now.images_per_second:.3g} images/s" if now.images_per_second else "")
        )
        record: dict[str, Any] = {"iteration": step.iteration, "loss": step.loss, "smoothed": now.smoothed}
        record |= {"lr": step.rate, "images_per_second": round(now.images_per_second, 3)}
        self._log(record | {name: value for name, value in outputs.items() if name not in record})
        self._restart_clock()

    def _test(self) -> None:
        for number, outputs in enumerate(self.solver.test()):
            plain = plain_outputs(outputs)
            self._log({"iteration": self.solver.iteration, "test": number} | plain)
            for name, value in plain.items():
                values = value if isinstance(value, list) else [value]
                text = ", ".join(f"{v:.6g}" for v in values)
                self.tell(f"iteration {self.solver.iteration}: test net {number}: {name} {text}")
        self._restart_clock()

    def _snapshot(self) -> int:
        if self.solver.peers.first:
            self.tell(f"snapshot: {self.solver.save()}")
            if self.log is not None:
                self.log.draw()
        self._restart_clock()
        return self.solver.iteration

    def _log(self, record: dict[str, Any]) -> None:
        if self.log is not None:
            self.log.write(record)

    def _restart_clock(self) -> None:
        """What is not training shall not count as such."""
        self.clock, self.images = time.perf_counter(), 0
