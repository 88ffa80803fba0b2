"""The option --ray, and verbs that work through many jobs on the workers of a Ray cluster."""

import re
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer
from typer.core import TyperCommand

from ..errors import DeepLabError
from . import options

if TYPE_CHECKING:
    from ..cluster.terms import Cluster, Make

Job = TypeVar("Job")
Result = TypeVar("Result")

_ADDRESS = re.compile(r"auto|local|[^\s/:]+:\d+|\[[0-9a-fA-F:]+\]:\d+")
_NEWS = 30.0  # seconds between lines about progress where no bar can be drawn
_OF_LATE = 30.0  # seconds


class WithRay(TyperCommand):
    """A command whose option --ray may stand without its address, before whatever comes next."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # type: ignore[explicit-override]
        """Gives a bare --ray its default."""
        return super().parse_args(ctx, _with_address(args))


def _with_address(words: list[str]) -> list[str]:
    spelled: list[str] = []
    for number, word in enumerate(words):
        following = words[number + 1] if number + 1 < len(words) else ""
        if word == "--":
            return [*spelled, *words[number:]]
        spelled.append("--ray=auto" if word == "--ray" and not _ADDRESS.fullmatch(following) else word)
    return spelled


def _checked(address: str | None) -> str | None:
    if address is not None and not _ADDRESS.fullmatch(address):
        raise DeepLabError(f"--ray {address}: auto, local or HOST:PORT wanted")
    return address


Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[ADDRESS]",
        callback=_checked,
        help="Work on the Ray cluster that runs here, or that at HOST:PORT; `local`: on "
        "this machine's cores. --threads are then those of a worker (default 4). The same command goes on "
        "where it was stopped.",
    ),
]


def cluster_of(ray: str | None, threads: int | None, device: str = "cpu") -> "Cluster | None":
    """The cluster that the options name; None without --ray. Workers on GPUs have one each."""
    from ..cluster.terms import Cluster

    if ray is None:
        return None
    if device not in ("cpu", "cuda"):
        raise DeepLabError(f"--device {device}: with --ray cpu or cuda; each worker has a GPU of its own")
    return Cluster(ray, threads, gpus=int(device == "cuda"))


class Workers(Generic[Job, Result]):
    """The jobs of a verb on a cluster, with a progress bar on stderr. make: what workers do, see Pool.

    unit: what jobs are, in plural.
    """

    def __init__(self, make: "Make[Job, Result]", cluster: "Cluster", unit: str = "images") -> None:
        from ..cluster.pool import Pool
        from ..cluster.terms import Status

        self.unit, self.console = unit, options.console()
        self.count, self.seconds = 0, 0.0
        self._times: deque[float] = deque()  # when the last ones were done
        self.status = Status(note=self.note)
        self._pool = Pool(make, cluster, self.status)

    def run(
        self, title: str, jobs: Sequence[Job], done: int = 0
    ) -> Generator[tuple[int, Result | DeepLabError], None, None]:
        """Each job's number with its result, or its DeepLabError, as they are done.

        done: jobs, not among these, that an earlier run has done.
        """
        from rich.progress import TextColumn

        start = news = time.perf_counter()
        total = len(jobs) + done
        outcomes = self._pool.run(jobs)
        with options.progress(self.console, TextColumn("{task.fields[rate]}")) as bar, closing(outcomes):
            task = bar.add_task(title, total=total, completed=done, rate="")
            for number, result in outcomes:
                yield number, result
                self.count += 1
                now = time.perf_counter()
                self.seconds = now - start
                self._times.append(now)
                while now - self._times[0] > _OF_LATE:
                    self._times.popleft()
                bar.update(task, advance=1, rate=self.rate)
                if not self.console.is_terminal and now - news > _NEWS:
                    news = now
                    self.note(f"{self.count + done:,} of {total:,}: {self.rate}")

    @property
    def rate(self) -> str:
        """The speed of late, in words."""
        seconds = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        return f"{self._speed(len(self._times) - 1, seconds)}, {_counted(self.status.workers, 'worker')}"

    @property
    def summary(self) -> str:
        """What a last line says: the mean speed, the most workers at a time, how many were lost."""
        lost = f", {self.status.lost} lost" if self.status.lost else ""
        return f"{self._speed(self.count, self.seconds)}, {_counted(self.status.most, 'worker')}{lost}"

    def _speed(self, count: int, seconds: float) -> str:
        return f"{count / seconds if seconds else 0:.3g} {self.unit}/s"

    def note(self, text: str) -> None:
        """Prints a line beside the progress bar."""
        self.console.print(text, markup=False, soft_wrap=True)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
