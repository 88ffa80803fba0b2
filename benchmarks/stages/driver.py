"""Runs steps one after the other, or a few beside each other, within a budget of seconds."""

import time
from collections.abc import Callable, Sequence

from .process import LADDER, Running, Step
from .results import DONE, Results

ARCHIVE_EVERY = 10.0  # seconds between archives while steps are under way
SPARE = LADDER[0][1] + 1  # seconds before the end of the budget when steps are interrupted
BESIDE = 4  # steps at a time that may run beside each other


class Driver:
    """What is under way and what is left."""

    def __init__(self, results: Results, budget: float, say: Callable[[str], None] = print) -> None:
        self.results, self.say = results, say
        self.end = time.monotonic() + budget
        self.running: list[Running] = []
        self.broken: str | None = None  # name of a required step that failed

    @property
    def left(self) -> float:
        return self.end - time.monotonic() - SPARE

    def run(self, steps: Sequence[Step], again: Callable[[Step], bool] = lambda step: False) -> None:
        """Those that an earlier call has not done, those that `again` names, and those to be done always."""
        todo = [s for s in steps if s.always or again(s) or self.results.state(s) not in DONE]
        for step in steps:
            if step not in todo:
                self.say(f"{step.stage}: {step.name}: {self.results.state(step)} before")
        try:
            for step in todo:
                self._wait(lambda step=step: self._may_begin(step))
                self._begin(step)
            self._wait(lambda: not self.running)
        except KeyboardInterrupt:
            for running in self.running:
                running.stop()
            while not all([running.ended() for running in self.running]):
                time.sleep(0.05)
            for running in self.running:
                self.results.finish(running, "interrupted")
            raise
        finally:
            self.results.write()

    def _may_begin(self, step: Step) -> bool:
        together = step.beside and all(running.step.beside for running in self.running)
        return not self.running or (together and len(self.running) < BESIDE)

    def _begin(self, step: Step) -> None:
        if self.broken:
            self.results.leave_out(step, f"needs {self.broken}")
        elif self.left < step.least:
            self.results.leave_out(step, f"{max(0, self.left):.0f} s were left, {step.least:.0f} wanted")
        else:
            self.say(f"{step.stage}: {step.name} ...")
            self.results.begin(step)
            self.running.append(Running(step, min(step.limit, self.left), self.results.work))
            return
        self.say(f"{step.stage}: {step.name}: left out")

    def _wait(self, until: Callable[[], bool]) -> None:
        while True:
            for running in [one for one in self.running if one.ended()]:
                self.running.remove(running)
                entry = self.results.finish(running)
                tests = ", ".join(f"{count} {word}" for word, count in entry["tests"].items())
                name = f"{running.step.stage}: {running.step.name}"
                self.say(f"{name}: {entry['state']}, {entry['seconds']:.1f} s{', ' * bool(tests)}{tests}")
                if entry["state"] != "passed":
                    self.say("\n".join("    " + line for line in entry["end"]))
                    if running.step.required:
                        self.broken = running.step.name
            if until():
                return
            self.results.archive(ARCHIVE_EVERY)
            time.sleep(0.05)
