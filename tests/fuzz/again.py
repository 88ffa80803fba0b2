"""Reads one input again, as the fuzzer did: `python -m tests.fuzz.again TARGET FILE` tells what happens."""

import sys
import tempfile
from pathlib import Path

from .check import check
from .targets import ALL, place


def main(name: str, file: str) -> int:
    """1 if there is something wrong with it."""
    target = ALL[name]
    with tempfile.TemporaryDirectory() as folder:
        path = place(target, Path(folder))
        Path(path).write_bytes(Path(file).read_bytes())
        try:
            print("contents:", target.read(path))
        except Exception as error:  # noqa: BLE001
            print(type(error).__name__, error)
        found = check(target.read, path, target.memory, target.longest)
    print("finding:", f"{found.kind}\n{found.text}" if found else None)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
