"""One step: a process with a log and a time limit, interrupted first, so that it can tell what it was at."""

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What a process gets that does not end in time, and how many seconds it then has.
LADDER = ((signal.SIGINT, 8.0), (signal.SIGTERM, 4.0), (signal.SIGKILL, 10.0))
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Step:
    """least: seconds below which it is not worth beginning. beside: may run beside its neighbours."""

    stage: str
    name: str
    command: tuple[str, ...]
    limit: float
    least: float = 5.0
    beside: bool = False
    required: bool = False  # nothing else can run if it fails
    always: bool = False  # also when an earlier call has done it
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return f"logs/{self.stage}-{self.name.replace('/', '.').replace(' ', '_')}.log"


def _child() -> None:
    """A group of its own, to be signalled together; it ends when this process is killed."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)


class Running:
    """A step under way."""

    def __init__(self, step: Step, seconds: float, work: Path) -> None:
        self.step, self.begun = step, time.monotonic()
        self.ends, self.rung, self.status = self.begun + seconds, 0, None
        self.whole_limit = seconds >= step.limit
        self.process: subprocess.Popen | None = None
        log = work / step.log
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PYTHONUNBUFFERED": "1"} | step.environment
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
        )
        with log.open("wb") as file:
            file.write((" ".join(step.command) + "\n").encode())
            file.flush()
            try:
                self.process = subprocess.Popen(
                    step.command,
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    preexec_fn=_child if os.name == "posix" else None,
                )
            except OSError as error:
                file.write(f"{error}\n".encode())
                self.status = 127

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def ended(self) -> bool:
        """Looks once; a process that is out of time gets the next signal of LADDER."""
        if self.process is None:
            return True
        self.status = self.process.poll()
        if self.status is not None:
            return True
        if time.monotonic() > self.ends and self.rung < len(LADDER):
            number, patience = LADDER[self.rung]
            self.rung += 1
            self.ends = time.monotonic() + patience
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
        return False

    def stop(self) -> None:
        """From now on it is out of time."""
        if self.rung == 0:
            self.ends = time.monotonic()

    @property
    def state(self) -> str:
        if self.rung:
            # What the budget cut short is for the next call.
            return "out of time" if self.whole_limit else "interrupted"
        return "passed" if self.status == 0 else "failed"
