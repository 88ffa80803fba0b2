"""Changes inputs at random, with an eye to how formats are built: numbers, strings, archives, lengths, sums.

Everything depends on the generator that is given, so that a run can be repeated.
"""

import random

from .containers import CONTAINERS
from .plain import PLAIN, bytes_, splice


def mutate(data: bytes, other: bytes, rng: random.Random, most: int = 1 << 20) -> bytes:
    """One to four changes of `data`, and now and then a splice with `other`; at most `most` bytes."""
    if rng.random() < 0.1:
        data = splice(data, other, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        inside = [change for fits, change in CONTAINERS if fits(data)]
        change = rng.choice(inside) if inside and rng.random() < 0.6 else rng.choice(PLAIN)
        try:
            data = change(data, rng)
        except Exception:  # noqa: BLE001 (it is no longer what it looks like)
            data = bytes_(data, rng)
    return data[:most]
