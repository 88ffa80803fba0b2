"""Everything a GPU is needed for, step by step: build, tests, memory checks, benchmarks; see `make gpu`.

Each step has a time limit and a log; one that fails or runs out of time does not stop the others.
Uses the Python it is run with, and installs nothing. Without a GPU the steps are rehearsed on the CPU.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLI = [
    sys.executable,
    "-c",
    "import sys; from deeplab_caffe.commands import main; sys.exit(main(sys.argv[1:]))",
]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf", "--durations=10"]
CONVOLUTION = "tests/ops/test_device_convolution.py"
CRF = ("tests/crf/test_gpu_ops.py", "tests/crf/test_dense_crf_device.py")


@dataclass
class Step:
    name: str
    command: list[str]
    limit: float
    environment: dict[str, str] = field(default_factory=dict)


def steps(out: Path, gpu: bool) -> list[Step]:
    """In the order of what would be missed most."""
    device = "cuda" if gpu else "cpu"
    # The CPU's module and the GPU's at the same time.
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", f"-j{os.cpu_count()}"]
    targets = {"DEEPLAB_CAFFE_CUDA_ARCHS": os.environ.get("DEEPLAB_CAFFE_CUDA_ARCHS", "native")}
    convs = [*CLI, "bench", "conv", "--device", device, "-o", str(out)]
    net = [*CLI, "bench", "net", "--device", device, "-o", str(out)]
    crf = [*CLI, "bench", "crf", "--device", device, "-o", str(out)]
    tests = [*PYTEST, f"--junitxml={out / 'tests.xml'}"]
    planned = [
        Step("card", ["nvidia-smi"], 20),
        Step("build", build, 200, targets),
        Step("tests", [*tests, *(["-m", "gpu", "tests"] if gpu else [CONVOLUTION, "-k", "tile"])], 150),
    ]
    sanitizer = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    few = "every_tile and mixed or asymmetric or in_place or flat_image or images_do_not_meet"
    small = [*PYTEST, "-m", "gpu", CONVOLUTION, *CRF, "-k", few]
    memcheck, racecheck = (
        Step(tool, [sanitizer, "--tool", tool, "--error-exitcode", "1", *small], 60)
        for tool in ("memcheck", "racecheck")
    )
    tiles = [sys.executable, "benchmarks/tiles.py", "-o", str(out), "--limit", "25"]
    if gpu:
        return [
            *planned,
            Step("bench conv", [*convs, "--limit", "100"], 140),
            Step("bench crf", crf, 60),
            memcheck,
            Step("bench net", [*net, "--sizes", "513", "--batches", "1,8"], 80),
            racecheck,
            Step("tiles", tiles, 45),
        ]
    little = ["--sizes", "65", "--rounds", "2"]
    return [
        *planned,
        Step("bench conv", [*convs, *little, "--batches", "1", "--layers", "fc8"], 100),
        Step("bench crf", [*crf, "--no-scaling", "--sizes", "65x65", "--labels", "5", "--rounds", "2"], 60),
        Step("bench net", [*net, *little, "--threads", "1"], 200),
        Step("tiles", tiles, 45),
        memcheck,
        racecheck,
    ]


def run(step: Step, seconds: float, log: Path) -> dict:
    """Runs a step for so long at most; what it prints goes to the log and to the screen."""
    start, timed_out = time.monotonic(), False
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | step.environment
    with log.open("w") as file:
        print(" ".join(step.command), file=file, flush=True)
        try:
            process = subprocess.Popen(
                step.command,
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            print(error, file=file)
            return {"step": step.name, "status": 127, "seconds": 0.0, "timed_out": False}
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(process.pid, signal.SIGTERM)
            try:
                status = process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                status = process.wait()
    taken = time.monotonic() - start
    return {"step": step.name, "status": status, "seconds": round(taken, 1), "timed_out": timed_out}


def has_gpu() -> bool:
    try:
        return subprocess.run(["nvidia-smi"], capture_output=True).returncode == 0
    except OSError:
        return False


def main() -> int:
    """Status 1 if any step failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--limit", type=float, default=525, help="seconds for all steps together")
    parser.add_argument("--only", default="", help="names of steps, separated by commas")
    given = parser.parse_args()
    out, gpu = given.output.resolve(), has_gpu()
    out.mkdir(parents=True, exist_ok=True)
    logs = out / "logs"
    logs.mkdir(exist_ok=True)
    if not gpu:
        print("no GPU here: the steps are rehearsed on the CPU", flush=True)
    end, done = time.monotonic() + given.limit, []
    only = [name for name in given.only.split(",") if name]
    for step in steps(out, gpu):
        if only and step.name not in only:
            continue
        left = end - time.monotonic()
        log = logs / f"{step.name.replace(' ', '_')}.log"
        print(f"{step.name} ...", flush=True)
        if left < 5:
            done.append({"step": step.name, "status": None, "seconds": 0.0, "timed_out": True})
        else:
            done.append(run(step, min(step.limit, left), log))
            print("  " + "\n  ".join(log.read_text(errors="replace").splitlines()[-6:]), flush=True)
        (out / "gpu.json").write_text(json.dumps({"gpu": gpu, "steps": done}, indent=1))
    print()
    for entry in done:
        words = "ok" if entry["status"] == 0 else "out of time" if entry["timed_out"] else "FAILED"
        print(f"{entry['step']:12} {words:12} {entry['seconds']:7.1f} s   logs in {logs}")
    return int(any(entry["status"] != 0 for entry in done))


if __name__ == "__main__":
    sys.exit(main())
