"""The process that reads inputs, one after the other, until it is killed: `python -m tests.fuzz.worker`.

Its inputs come from atheris, which sees what code they reach, or from the mutator alone. The one it reads
lies in a file; how many it has read, and since when it reads this one, it writes into `state`.
"""

import hashlib
import json
import mmap
import os
import random
import struct
import sys
import time
from pathlib import Path

STATE = struct.Struct("<Qd")  # inputs read, when the present one was begun


def main(name: str, folder: str, engine: str, seed: int) -> None:
    """Reads inputs of the target `name` for ever; findings go to FOLDER/findings/."""
    atheris = None
    if engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["deeplab_caffe", "zipfile", "tokenize", "tomllib", "lzma"]):
            from tests.fuzz import targets
    from tests.fuzz import targets
    from tests.fuzz.check import check, limit_memory
    from tests.fuzz.mutate import mutate

    target = targets.ALL[name]
    place = Path(folder)
    path = targets.place(target, place)
    os.chdir(place)
    seeds = [*target.seeds(), *targets.corpus(name).values()]
    for data in seeds:
        (place / "corpus" / hashlib.sha1(data).hexdigest()).write_bytes(data)
    with open(place / "state", "r+b") as file:
        state = mmap.mmap(file.fileno(), STATE.size)
    limit_memory(3 << 30)

    def one(data: bytes) -> None:
        with open(path, "wb") as file:
            file.write(data)
        STATE.pack_into(state, 0, STATE.unpack_from(state)[0], time.time())
        found = check(target.read, path, target.memory, target.longest)
        STATE.pack_into(state, 0, STATE.unpack_from(state)[0] + 1, 0.0)
        if found is not None:
            keep(place / "findings", found.kind, found.text, data, target.suffix)

    if atheris is None:
        rng = random.Random(seed)
        for data in seeds:
            one(data)
        while True:
            one(mutate(rng.choice(seeds), rng.choice(seeds), rng))

    def custom(data: bytes, most: int, number: int) -> bytes:
        rng = random.Random(number)
        return (
            atheris.Mutate(data, most) if rng.random() < 0.4 else mutate(data, rng.choice(seeds), rng, most)
        )

    # Limits of time and memory are our own.
    flags = (
        f"-seed={seed} -timeout=100000 -rss_limit_mb=0 -max_len=1048576 -len_control=0 -reload=0 -verbosity=0"
    )
    atheris.Setup(["fuzz", *flags.split(), str(place / "corpus")], one, custom_mutator=custom)
    atheris.Fuzz()


def keep(folder: Path, kind: str, text: str, data: bytes, suffix: str) -> None:
    """Writes a finding, unless one of its kind is there that is no longer."""
    stem = folder / hashlib.sha1(kind.encode()).hexdigest()[:12]
    file = stem.with_suffix(suffix)
    if not file.exists() or len(data) < file.stat().st_size:
        file.write_bytes(data)
        stem.with_suffix(".json").write_text(json.dumps({"kind": kind, "text": text, "input": str(file)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
