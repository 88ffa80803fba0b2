"""Verbs that work through many images, several at a time."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TypeVar

from ..errors import DeepLabError
from . import options

Job = TypeVar("Job")
Result = TypeVar("Result")


def several(
    title: str,
    jobs: Sequence[Job],
    work: Callable[[Job], Result],
    threads: int | None,
    most: int,
    shared: bool = True,
) -> Generator[tuple[Job, Result | DeepLabError], None, None]:
    """Every job with its result, in order, under a progress bar; the other arguments are side_by_side's.

    The DeepLabError of one of several jobs is printed, and is its result; that of a single one is raised.
    """
    from ..threads.side_by_side import side_by_side

    def attempt(job: Job) -> Result | DeepLabError:
        try:
            return work(job)
        except DeepLabError as error:
            return error

    console = options.console()
    done = side_by_side(attempt, jobs, threads, most, shared)
    with options.progress(console) as bar, closing(done):
        task = bar.add_task(title, total=len(jobs))
        for job, result in zip(jobs, done, strict=True):
            if isinstance(result, DeepLabError):
                if len(jobs) == 1:
                    raise result
                console.print(f"error: {result}", markup=False, soft_wrap=True)
            yield job, result
            bar.advance(task)
