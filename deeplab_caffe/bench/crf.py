"""The dense CRF: construction, inference and memory by pixels, labels and threads, against pydensecrf2."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ..assets import asset
from ..crf.lattice import forget_positions, position_lattice
from ..crf.parameters import AUTHORS
from ..crf.refinement import image_crf
from .measure import interleave, machine, median_ratio, own_peak_memory, peak_memory

ITERATIONS = AUTHORS.iterations
PEER = "pydensecrf2"
Phases = dict[str, float]


class Case(NamedTuple):
    """Size of a problem."""

    height: int
    width: int
    labels: int


def problem(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """A photo as RGB bytes (H, W, 3) and energies (H, W, labels), blocks of 8 x 8 pixels as from a net."""
    photo = Image.open(asset("demo/street_cars.jpg")).convert("RGB")
    image = np.array(photo.resize((case.width, case.height)))
    cells = -(-case.height // 8), -(-case.width // 8), case.labels
    low = np.random.default_rng(0).random(cells, np.float32) * 5
    blocks = np.repeat(np.repeat(low, 8, 0), 8, 1)
    return image, np.ascontiguousarray(blocks[: case.height, : case.width])


def ours(case: Case, threads: int, first: bool = False) -> Callable[[], Phases]:
    """One run of ours: both phases in seconds. first: as the first image of its size."""
    image, unary = problem(case)

    def run() -> Phases:
        forget_positions()
        if not first:
            position_lattice(case.height, case.width, AUTHORS.pos_std, threads)
        start = time.perf_counter()
        model = image_crf(image, case.labels, threads=threads).unary(unary)
        built = time.perf_counter()
        model.step(ITERATIONS).map()
        return {"construction": built - start, "inference": time.perf_counter() - built}

    return run


@contextmanager
def peer(case: Case, python: str) -> Iterator[Callable[[], Phases]]:
    """The same of pydensecrf2, in a process of `python`; RuntimeError if that one lacks it."""
    image, unary = problem(case)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "case.npz"
        np.savez(path, image=image, unary=unary, **asdict(AUTHORS))
        command = [python, str(Path(__file__).with_name("crf_peer.py")), str(path)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            requests, answers = process.stdin, process.stdout
            assert requests is not None and answers is not None  # pipes, as asked for
            if answers.readline().strip() != "ready":
                raise RuntimeError(f"{python} has no {PEER}")

            def run() -> Phases:
                requests.write("run\n")
                requests.flush()
                return json.loads(answers.readline())

            yield run
            requests.close()


def _name(threads: int) -> str:
    return f"{threads} thread{'s' * (threads > 1)}"


def measure(case: Case, threads: list[int], rounds: int, python: str | None) -> list[dict[str, Any]]:
    """An entry a candidate: medians of phases and total in seconds, ratio to the peer, peak memory."""
    with ExitStack() as stack:
        phases: dict[str, list[Phases]] = {}
        runs: dict[str, Callable[[], Phases]] = {}
        for count in threads:
            runs[_name(count)] = ours(case, count)
            runs[f"{_name(count)}, first of its size"] = ours(case, count, first=True)
        if python is not None:
            runs[PEER] = stack.enter_context(peer(case, python))

        def recorded(name: str) -> Callable[[], None]:
            return lambda: phases.setdefault(name, []).append(runs[name]())

        interleave({name: recorded(name) for name in runs}, rounds)
    results = []
    for name, all_phases in phases.items():
        kept = all_phases[1:]  # The first was the warm-up.
        totals = [p["construction"] + p["inference"] for p in kept]
        entry = {
            "size": list(case),
            "candidate": name,
            "construction": statistics.median(p["construction"] for p in kept),
            "inference": statistics.median(p["inference"] for p in kept),
            "seconds": totals,
            "median": statistics.median(totals),
        }
        if PEER in phases:
            peers = [p["construction"] + p["inference"] for p in phases[PEER][1:]]
            entry["ratio"] = median_ratio(totals, peers)
        if name == PEER:
            entry["memory"] = max(p["memory"] for p in kept)
        else:
            arguments = {"case": list(case), "threads": int(name.split()[0])}
            entry["memory"] = peak_memory("deeplab_caffe.bench.crf", arguments)
        results.append(entry)
    return results


def run(
    cases: list[Case],
    scaling_pixels: list[Case],
    scaling_labels: list[Case],
    threads: list[int],
    rounds: int,
    python: str | None,
) -> dict[str, Any]:
    """Everything the benchmark says, as plain data: `results`, and `pixels` and `labels` for the plot."""
    groups = {"results": cases, "pixels": scaling_pixels, "labels": scaling_labels}
    return {"machine": machine(), "iterations": ITERATIONS} | {
        name: [entry for case in group for entry in measure(case, threads, rounds, python)]
        for name, group in groups.items()
    }


def find_peer(python: str | None) -> str | None:
    """The Python that has pydensecrf2: the one given (RuntimeError if it lacks it), this one, or None."""
    tried = python or sys.executable
    found = subprocess.run([tried, "-c", "import pydensecrf.densecrf"], capture_output=True).returncode == 0
    if not found and python is not None:
        raise RuntimeError(f"{python} has no {PEER}")
    return tried if found else None


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    ours(Case(*settings["case"]), settings["threads"])()
    print(own_peak_memory())
