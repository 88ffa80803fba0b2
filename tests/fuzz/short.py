"""A few inputs for every target, the same each time: `python -m tests.fuzz.short INPUTS [TARGET...]`."""

import random
import sys
import tempfile
from pathlib import Path

from .check import check, limit_memory
from .mutate import mutate
from .targets import ALL, corpus, place


def main(inputs: int, names: list[str]) -> int:
    """1 if something was found, and printed: in seeds, old findings, so many changed inputs."""
    limit_memory(3 << 30)
    failed = 0
    for name in names or ALL:
        target, rng = ALL[name], random.Random(1)
        known = [*target.seeds(), *corpus(name).values()]
        changed = (mutate(rng.choice(known), rng.choice(known), rng) for _ in range(inputs))
        with tempfile.TemporaryDirectory() as folder:
            path = place(target, Path(folder))
            for number, data in enumerate((*known, *changed)):
                Path(path).write_bytes(data)
                if found := check(target.read, path, target.memory, target.longest):
                    failed += 1
                    print(f"{name}, input {number}: {found.kind}: {found.text}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), sys.argv[2:]))
