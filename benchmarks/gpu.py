"""Everything a GPU is needed for, in stages, in the order of worth: see CONTRIBUTING.md, "On a GPU".

`python3 benchmarks/gpu.py` builds for the present card and runs every stage, each step a process with a time
limit and a result on disk of its own; a second call continues where the first stopped. Installs nothing.
Without a GPU the steps are rehearsed on the CPU and the emulator.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from stages.driver import Driver
from stages.pack import pack
from stages.process import ROOT
from stages.results import Results
from stages.steps import STAGES, chosen, steps


def gpu_name() -> str | None:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    return found.stdout.strip().splitlines()[0] if found.returncode == 0 and found.stdout.strip() else None


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("benchmarks/results/gpu"),
        help="gpu.json, gpu.html, results.tar.gz and modules.tar.gz are put here after every step",
    )  # fmt: skip
    parser.add_argument("--work", type=Path, default=ROOT / "build/gpu", help="where steps write")
    parser.add_argument(
        "--budget", type=float, default=525, help="seconds for all; what does not fit is left out"
    )
    parser.add_argument("--only", default="", help="stages (a to g) or steps, separated by commas; run again")
    parser.add_argument("--skip", default="", help="stages or steps")
    parser.add_argument("--failed", action="store_true", help="repeat the steps that failed")
    parser.add_argument("--fresh", action="store_true", help="forget the results of earlier calls")
    parser.add_argument("--resume", type=Path, help="the --output of an earlier call, on another machine")
    parser.add_argument("--reference", type=Path, help="the large reference cases: nets, crf, recipe.py")
    parser.add_argument(
        "--pack", action="store_true", help="lay out what to carry to a machine, and its size"
    )
    parser.add_argument(
        "--build-for", metavar="90a", default="", help="--pack also builds the modules, for such GPUs"
    )
    parser.add_argument("--list", action="store_true", help="the steps, with their limits")
    return parser.parse_args()


def main() -> int:
    """Status 1 if any step of this call failed or was left out, 130 if interrupted."""
    given = parse()
    name = os.environ.get("DEEPLAB_CAFFE_REFERENCE")
    reference = given.reference or (Path(name) if name else None)
    if given.pack:
        print("\n".join(pack(reference, given.resume, given.build_for)))
        return 0
    if reference:
        os.environ["DEEPLAB_CAFFE_REFERENCE"] = str(reference.resolve())
    gpu, work = gpu_name(), given.work.resolve()
    todo = chosen(steps(work, gpu is not None), given.only, given.skip)
    if given.list:
        for step in todo:
            print(f"{step.stage} {STAGES[step.stage]:15} {step.name:45} {step.limit:4.0f} s at most")
        return 0
    print(f"on {gpu}" if gpu else "no GPU here: the steps are rehearsed", flush=True)
    about = {
        "gpu": gpu,
        "begun": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "budget": given.budget,
    }
    results = Results(given.output.resolve(), work, about, given.fresh, given.resume)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    driver = Driver(results, given.budget, lambda line: print(line, flush=True))
    try:
        driver.run(
            todo,
            lambda s: bool(given.only) or (given.failed and results.state(s) in ("failed", "out of time")),
        )
    except KeyboardInterrupt:
        return 130
    states = {step.name: results.state(step) for step in todo}
    print()
    for row in results.targets():
        verdict = {True: "met", False: "MISSED", None: "not measured"}[row["met"]]
        print(f"{row['target']:50} {row['wanted']:10} {row['measured'] or '':30} {verdict}")
    for word in dict.fromkeys(states.values()):
        print(f"{word}: {', '.join(name for name, state in states.items() if state == word)}")
    return int(any(state != "passed" for state in states.values()))


if __name__ == "__main__":
    sys.exit(main())
