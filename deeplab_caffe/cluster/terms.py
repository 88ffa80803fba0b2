"""What the room's files name: items, results, work; where workers are, how they fare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item], Result]
Make = Callable[[int | None], Work[Item, Result]]  # makes the work for so many threads; None: the default


@dataclass(frozen=True)
class Cluster:
    """Where workers are. address: auto (the cluster that runs here, else `local`), local, HOST:PORT

    threads: CPU cores of each worker; None: a few. gpus: of each worker.
    """

    address: str
    threads: int | None = None
    gpus: int = 0


@dataclass
class Status:
    """What is going on, for who shows it: workers that compute, how many were lost, where notes go."""

    workers: int = 0
    lost: int = 0
    most: int = 0  # workers at the same time
    note: Callable[[str], None] = lambda text: None
