"""Workers on a Ray cluster: one actor a GPU, or a few cores, as many as there is room for at the time.

Machines may come and go. Only workers that are ready get items, so none waits for a machine that is gone;
what a lost worker had is done by another.
"""

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic

from ..errors import DeepLabError, reason_of
from . import session
from .terms import Cluster, Item, Make, Result, Status
from .worker import Worker, here

FEW_CORES = 4
_AT_ONCE = 2  # items that a worker has: one at work, one that waits
_MOST_LOSSES = 3  # workers that an item may cost
_MOST_FAILED_STARTS = 3
_LOOK = 2.0  # seconds between looks at which machines there are
_PATIENCE = 120.0  # seconds without any place for a worker


@dataclass(eq=False)
class _Slot:
    """An actor: starting until it is ready, with the numbers of its items, the one at work first."""

    actor: Any
    ready: bool = False
    items: list[int] = field(default_factory=list)


class Pool(Generic[Item, Result]):
    """The workers of one run.

    Each calls `make(threads)` once, keeps what that gives and calls it with every item it gets; `make`, items
    and results are pickled. Raises DeepLabError if there is no cluster or no worker can start.
    """

    def __init__(self, make: Make[Item, Result], cluster: Cluster, status: Status) -> None:
        self.make, self.cluster, self.status = make, cluster, status
        self._slots: list[_Slot] = []
        self._pending: dict[Any, tuple[_Slot, int | None]] = {}  # by Ray's reference; None: it starts
        self._again: deque[int] = deque()
        self._items: dict[int, Item] = {}  # those that are not done
        self._losses: dict[int, int] = {}
        self._failed_starts = 0
        self._looked = self._had_place = 0.0
        self._warned: set[str] = set()

    def run(self, items: Iterable[Item]) -> Generator[tuple[int, Result | DeepLabError], None, None]:
        """Each item's number and what came of it, in the order in which they are done.

        An item's DeepLabError comes in place of a result; its other errors are raised.
        """
        numbered = enumerate(items)
        with session.connected(self.cluster.address) as ray:
            self._ray = ray
            threads = self._cores()
            gpus = self.cluster.gpus
            actor = ray.remote(num_cpus=threads, num_gpus=gpus, max_restarts=0)(Worker)
            self._unit = {"CPU": threads} | ({"GPU": gpus} if gpus else {})
            make, place = ray.put(self.make), here()
            self._had_place = time.monotonic()
            try:
                while True:
                    self._fit(lambda: actor.remote(), lambda slot: slot.start.remote(make, threads, place))
                    exhausted = self._hand_out(numbered)
                    if exhausted and not self._items:
                        return
                    yield from self._collect()
            finally:
                self._end()

    def _cores(self) -> int:
        """How many cores a worker has; DeepLabError if no machine has as many."""
        most = max((int(node.get("CPU", 0)) for node in self._machines()), default=0)
        if self.cluster.gpus and not any(node.get("GPU", 0) for node in self._machines()):
            raise DeepLabError("--ray: no machine of the cluster has a GPU")
        wanted = self.cluster.threads
        if wanted is not None and wanted > most:
            raise DeepLabError(
                f"--threads {wanted}: with --ray these are a worker's cores, the largest machine has {most}"
            )
        if most < 1:
            raise DeepLabError("--ray: no machine of the cluster has a CPU to give")
        return wanted or min(FEW_CORES, most)

    def _machines(self) -> list[dict[str, float]]:
        """What each machine of the cluster has."""
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _fit(self, new: Any, start: Any) -> None:
        """As many workers as the machines have room for; those that are dead are counted elsewhere."""
        now = time.monotonic()
        if now - self._looked < _LOOK and self._slots:
            return
        self._looked = now
        places = sum(
            min(int(machine.get(name, 0) // amount) for name, amount in self._unit.items())
            for machine in self._machines()
        )
        if places:
            self._had_place = now
        elif now - self._had_place > _PATIENCE and not any(slot.ready for slot in self._slots):
            raise DeepLabError("--ray: no machine is left for a worker; the same command goes on from here")
        while len(self._slots) < places and self._failed_starts < _MOST_FAILED_STARTS:
            slot = _Slot(new())
            self._slots.append(slot)
            self._pending[start(slot.actor)] = slot, None
        waiting = [slot for slot in self._slots if not slot.ready]
        for slot in waiting[: max(0, len(self._slots) - places)]:  # for a machine that is gone
            self._drop(slot)

    def _hand_out(self, numbered: Iterator[tuple[int, Item]]) -> bool:
        """Gives items to workers that are ready, the idle ones first; True if there are no more."""
        for most in range(1, _AT_ONCE + 1):
            for slot in self._slots:
                if not slot.ready or len(slot.items) >= most:
                    continue
                if self._again:
                    number = self._again.popleft()
                else:
                    following = next(numbered, None)
                    if following is None:
                        return True
                    number, self._items[number] = following
                slot.items.append(number)
                self._pending[slot.actor.work.remote(self._items[number])] = slot, number
        return False

    def _collect(self) -> Iterator[tuple[int, Result | DeepLabError]]:
        """What is done by now; waits a moment for it."""
        refs = list(self._pending)
        if not refs:
            time.sleep(_LOOK / 4)
            return
        done, _ = self._ray.wait(refs, num_returns=1, timeout=_LOOK)
        if done:
            done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        lost: list[_Slot] = []  # seen to last: what else has come may be theirs
        for ref in done:
            slot, number = self._pending.pop(ref)
            try:
                error, result, warnings = self._ray.get(ref)
            except self._ray.exceptions.RayTaskError as failure:
                if number is not None:
                    raise (failure.cause or failure) from None
                self._not_started(slot, reason_of(failure.cause or failure))
            except self._ray.exceptions.RayError as failure:
                if number is None:
                    self._not_started(slot, reason_of(failure))
                else:
                    lost.append(slot)
            else:
                self._show(warnings)
                if number is None:
                    self._started(slot, error)
                    continue
                slot.items.remove(number)
                del self._items[number]
                yield number, result if error is None else DeepLabError(error)
        for slot in lost:
            if slot in self._slots:
                yield from self._lost(slot)

    def _started(self, slot: _Slot, error: str | None) -> None:
        if error is not None:
            self._not_started(slot, error)
            return
        slot.ready = True
        self._failed_starts = 0
        self.status.workers += 1
        self.status.most = max(self.status.most, self.status.workers)

    def _not_started(self, slot: _Slot, why: str) -> None:
        """Raises DeepLabError where no other worker works: it is the same for all, then."""
        if slot not in self._slots:
            return
        self._drop(slot)
        self._failed_starts += 1
        if not any(other.ready for other in self._slots):
            raise DeepLabError(why)
        self.status.note(f"a worker did not start: {why}")

    def _lost(self, slot: _Slot) -> Iterator[tuple[int, DeepLabError]]:
        """A worker is gone: its items go to others, but for one at work that has cost several workers."""
        self._drop(slot)
        self.status.lost += 1
        self.status.note("a worker is lost; others do what it had")
        number = slot.items[0]
        self._losses[number] = self._losses.get(number, 0) + 1
        if self._losses[number] >= _MOST_LOSSES:
            slot.items.remove(number)
            item = self._items.pop(number)
            yield number, DeepLabError(f"{item}: given up, {_MOST_LOSSES} workers were lost with it")
        self._again.extend(slot.items)

    def _drop(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        self.status.workers -= slot.ready
        self._pending = {ref: held for ref, held in self._pending.items() if held[0] is not slot}
        self._ray.kill(slot.actor)

    def _show(self, warnings: list[str]) -> None:
        """Each text once, whichever worker it comes from."""
        for text in warnings:
            if text not in self._warned:
                self._warned.add(text)
                self.status.note(f"warning: {text}")

    def _end(self) -> None:
        for slot in list(self._slots):
            self._drop(slot)


def in_order(outcomes: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """What `Pool.run` gives by the items' numbers, 0 first: what comes early waits."""
    waiting: dict[int, Result] = {}
    following = 0
    for number, outcome in outcomes:
        waiting[number] = outcome
        while following in waiting:
            yield waiting.pop(following)
            following += 1
