"""What the processor could reach at all: the yardstick of the benchmarks."""

import threading
import time
from collections.abc import Callable

from .. import _C


def fma_peak(
    threads: int = 1, rounds: int = 4_000_000, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Floating-point operations per second of fused multiply-adds in registers, best of three."""

    def measure() -> float:
        workers = [threading.Thread(target=_C.fma_chains, args=(rounds,)) for _ in range(threads)]
        start = clock()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return threads * rounds * _C.fma_chain_operations() / (clock() - start)

    return max(measure() for _ in range(3))
