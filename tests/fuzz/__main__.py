"""Fuzzes readers: `python -m tests.fuzz caffemodel npz --seconds 60`; without names all of them, in turn.

Each input is read under limits of time and memory. Accepted are success and an error of one short line;
anything else, the end of the process too, is a finding: FOLDER/TARGET/findings has the smallest input of each
kind and what it did.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .worker import STATE, keep

ROOT = Path(__file__).parents[2]
HANG = 60.0  # seconds one input may take, on a busy machine


def fuzz(
    name: str, suffix: str, folder: Path, seconds: float, engine: str, seed: int, hang: float = HANG
) -> dict:
    """Runs workers on a target until its time is over, a new one where one ended; what they did and found."""
    for part in ("corpus", "findings"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "state").write_bytes(STATE.pack(0, 0.0))
    worked, restarts = 0.0, 0
    while worked < seconds:
        read, _ = STATE.unpack((folder / "state").read_bytes())
        (folder / "state").write_bytes(STATE.pack(read, 0.0))
        with open(folder / "log", "ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.worker", name, str(folder), engine, str(seed + restarts)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        try:
            why, spent = _watch(worker, folder, seconds - worked, hang)
        finally:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
            worker.wait()
        worked, restarts = worked + max(spent, 1.0), restarts + 1  # lest one that always ends at once goes on
        if why and STATE.unpack((folder / "state").read_bytes())[1]:
            (path,) = (p for p in folder.glob(f"*{suffix}") if p.stem in ("input", "sharded.ckpt", "counts"))
            tail = (folder / "log").read_bytes()[-2000:].decode(errors="replace")
            keep(folder / "findings", why, tail, path.read_bytes(), suffix)
        elif why:
            raise SystemExit(f"{name}: the worker {why}; see {folder / 'log'}")
    findings = [json.loads(file.read_text()) for file in sorted((folder / "findings").glob("*.json"))]
    return {
        "target": name,
        "engine": engine,
        "seconds": round(worked),
        "inputs": STATE.unpack((folder / "state").read_bytes())[0],
        "corpus": len(list((folder / "corpus").iterdir())),
        "findings": findings,
    }


def _watch(worker: subprocess.Popen, folder: Path, seconds: float, hang: float) -> tuple[str, float]:
    """Waits for the end of a worker, or of its time, which begins with its first input; why, and how long."""
    read, _ = STATE.unpack((folder / "state").read_bytes())
    start = None
    while True:
        time.sleep(0.2)
        ended = worker.poll()
        count, begun = STATE.unpack((folder / "state").read_bytes())
        if start is None and (begun or count > read):
            start = time.time()
        worked = time.time() - start if start else 0.0
        if ended is not None:
            return f"ended with {ended}", worked
        if begun and time.time() - begun > hang:
            return "hang", worked
        if worked >= seconds:
            return "", worked


def main() -> int:
    """0: nothing found, 1: something."""
    from .targets import ALL

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", choices=[[], *ALL], metavar="TARGET", help=", ".join(ALL))
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument(
        "--engine", choices=("atheris", "mutator"), help="default: atheris where it is installed"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keeps inputs and findings; default: a temporary one")
    given = parser.parse_args()
    engine = given.engine or ("atheris" if importlib.util.find_spec("atheris") else "mutator")
    folder = given.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    found = 0
    for name in given.targets or ALL:
        report = fuzz(name, ALL[name].suffix, folder.resolve() / name, given.seconds, engine, given.seed)
        findings = report.pop("findings")
        print(json.dumps(report | {"findings": len(findings)}), flush=True)
        for finding in findings:
            last = finding["text"].strip().splitlines()[-1][:300]
            print(f"  {finding['kind']}\n    {finding['input']}\n    {last}")
        found += len(findings)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
