"""The steps, in the order of what would be missed most. Without a GPU the same ones are rehearsed, small."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

from .process import ROOT, Step

CLI = (
    sys.executable,
    "-c",
    "import sys; from deeplab_caffe.commands import main; sys.exit(main(sys.argv[1:]))",
)
# The same with the emulator in the GPU's place: what is to be measured there is executed once.
EMULATED_CLI = (
    sys.executable,
    "-c",
    "import sys; from deeplab_caffe import ops; from deeplab_caffe.commands import main\n"
    "with ops.emulated_cuda(): sys.exit(main(sys.argv[1:]))",
)
STAGES = {
    "a": "build",
    "b": "smoke",
    "c": "exact bits",
    "d": "headline times",
    "e": "tensor cores",
    "f": "memory checks",
    "g": "the long tail",
}
# A process each: an illegal access ends the one it happens in.
EXACT = (
    "tests/ops/test_device_convolution.py",
    "tests/engine/test_reference_nets.py",
    "tests/crf/test_gpu_ops.py",
    "tests/crf/test_dense_crf_device.py",
    "tests/ops/test_gpu_convolution.py",
    "tests/engine/test_net_device.py",
    "tests/engine/test_net_gpu.py",
    "tests/ops/test_device_ops.py",
)
# What of them to run where there is no GPU; of the others what needs one, which is skipped then.
REHEARSED = {
    "tests/ops/test_device_convolution.py": ("-m", "not gpu", "-k", "atrous_rates"),
    "tests/engine/test_reference_nets.py": ("-k", "test_golden and v1_layers"),
    "tests/crf/test_gpu_ops.py": ("-m", "not gpu", "-k", "test_sizes or errors"),
    "tests/ops/test_device_ops.py": ("-m", "not gpu", "-k", "relu"),
}
TENSOR_CORES = "tests/ops/test_tensor_core.py"
NO_POOL = {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}  # so that what is past a tensor is nobody's memory


def pytest(*arguments: str) -> tuple[str, ...]:
    """Names, short tracebacks, and a dump of all threads of a test that hangs."""
    timeout = (
        ("--timeout=80", "--timeout-method=thread") if importlib.util.find_spec("pytest_timeout") else ()
    )
    quiet = ("-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider")
    return (sys.executable, "-m", "pytest", "-v", "--tb=short", "--durations=5", *quiet, *timeout, *arguments)


def gpu_tests() -> list[str]:
    """The files with tests for a GPU, by mark or fixture, but for those that stages c and e name."""
    for_gpu = re.compile(r"\bpytest\.mark\.gpu\b|def \w+\([^)]*\bdevice\b")
    named = {*EXACT, TENSOR_CORES, "tests/benchmarks/test_gpu.py"}
    files = (str(p.relative_to(ROOT)) for p in sorted((ROOT / "tests").rglob("test_*.py")))
    return [file for file in files if file not in named and for_gpu.search((ROOT / file).read_text())]


def steps(work: Path, gpu: bool) -> list[Step]:
    """All steps."""
    return _for_gpu(work) if gpu else _rehearsal(work)


def _builds(work: Path, limit: float, name: str = "modules") -> tuple[tuple[str, ...], float]:
    return (sys.executable, "benchmarks/stages/build.py", str(work), name), limit


def _begin(work: Path, limit: float) -> list[Step]:
    """What the machine has, beside the build: the first import of torch reads gigabytes. limit: of the build,
    without which there is nothing else to do with the time."""
    card = (sys.executable, "benchmarks/stages/card.py")
    return [
        Step("a", "card", card, 90, always=True, beside=True),
        Step("a", "build", *_builds(work, limit), 10, beside=True, required=True, always=True),
    ]


def _tests(stage: str, files: list[str], *arguments: str, limit: float, least: float = 15) -> list[Step]:
    threads = {"OMP_NUM_THREADS": "4"}
    return [
        Step(stage, file, pytest(*arguments, file), limit, least, beside=True, environment=threads)
        for file in files
    ]


def _sanitizer(tool: str) -> tuple[str, ...]:
    found = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    return (found, "--tool", tool, "--error-exitcode", "1", "--print-limit", "20")


def _bench(verb: str, *arguments: str, to: Path, cli: tuple[str, ...] = CLI) -> tuple[str, ...]:
    return (*cli, "bench", verb, *arguments, "--device", "cuda", "-o", str(to))


def _headlines(
    head: Path,
    net: tuple[str, ...],
    crf: tuple[str, ...],
    conv: tuple[str, ...],
    cli: tuple[str, ...] = CLI,
    patience: int = 1,
) -> list[Step]:
    """The steps of stage d; net, crf, conv: the sizes. Where tensor cores fail, all else goes on."""

    def step(name: str, limit: int, begin: int, *arguments: str, to: Path = head) -> Step:
        until = ("--limit", str(patience * begin))
        command = _bench(name.split()[0], *arguments, *until, to=to, cli=cli)
        return Step("d", f"bench {name}", command, patience * limit, limit // 4)

    convs = [
        step(
            f"conv {precision}",
            55,
            30,
            "--no-repeatable",
            "--precisions",
            precision,
            *conv,
            to=head / precision,
        )
        for precision in ("exact", "bf16")
    ]
    return [
        step("net", 60, 30, "--precisions", "bf16", *net),
        step("crf", 40, 20, "--no-scaling", *crf),
        *convs,
    ]


def _for_gpu(work: Path) -> list[Step]:
    tail = work / "tail"
    smoke = (sys.executable, "benchmarks/stages/smoke.py")
    net, crf, conv = ("--batches", "8,1"), ("--labels", "21", "--batches", "1,8"), ("--batches", "8,1")
    headlines = _headlines(
        work / "headline",
        ("--sizes", "513", *net),
        ("--sizes", "513x513", *crf),
        ("--sizes", "513", *conv),
    )
    switches = (sys.executable, "benchmarks/switches.py", "-o", str(tail))
    return [
        *_begin(work, 300),
        Step("b", "smoke", smoke, 40),
        *_tests("c", list(EXACT), "-m", "gpu", limit=90),
        *headlines,
        Step("e", TENSOR_CORES, pytest("-m", "gpu", TENSOR_CORES), 90, 20),
        Step("f", "memcheck", (*_sanitizer("memcheck"), *smoke), 90, 15, environment=NO_POOL),
        Step(
            "f", "racecheck", (*_sanitizer("racecheck"), *smoke, "exact", "depthwise", "crf", "mma"), 60, 15
        ),
        Step("f", "synccheck", (*_sanitizer("synccheck"), *smoke, "exact", "wgmma"), 40, 15),
        Step("g", "tiles", (sys.executable, "benchmarks/tiles.py", "-o", str(tail), "--limit", "25"), 45, 15),
        Step("g", "variants", *_builds(work, 120, "variants"), 30),
        Step("g", "switches", (*switches, "--limit", "60"), 80, 20),
        Step("g", "sass", pytest("tests/building/test_sass.py"), 60, 20),
        Step("g", "bench conv", _bench("conv", "--no-repeatable", *conv, "--limit", "100", to=tail), 140, 30),
        Step("g", "bench crf", _bench("crf", "--limit", "50", to=tail), 75, 20),
        Step("g", "bench net", _bench("net", "--limit", "50", to=tail), 80, 20),
        *_tests("g", gpu_tests(), "-m", "gpu", limit=60),
    ]


def _rehearsal(work: Path) -> list[Step]:
    tail = work / "tail"
    smoke = (sys.executable, "benchmarks/stages/smoke.py")
    headlines = _headlines(
        work / "headline",
        ("--sizes", "33", "--rounds", "1", "--batches", "2,1", "--model", "camvid_largefov"),
        ("--sizes", "10x15", "--rounds", "1", "--labels", "4", "--batches", "1,2"),
        ("--sizes", "33", "--rounds", "1", "--batches", "2,1", "--layers", "fc8"),
        EMULATED_CLI,
        patience=4,
    )
    return [
        *_begin(work, 1500),
        Step("b", "smoke", smoke, 60),
        *(_tests("c", [file], *REHEARSED.get(file, ("-m", "gpu")), limit=240)[0] for file in EXACT),
        *headlines,
        Step("e", TENSOR_CORES, pytest("-k", "test_error and bf16 and not cuda", TENSOR_CORES), 120),
        *(
            Step("f", tool, (*_sanitizer(tool), *smoke), 60)
            for tool in ("memcheck", "racecheck", "synccheck")
        ),
        Step("g", "tiles", (sys.executable, "benchmarks/tiles.py", "-o", str(tail), "--limit", "5"), 60),
        Step("g", "switches", (sys.executable, "benchmarks/switches.py", "-o", str(tail)), 120),
        Step("g", "sass", pytest("tests/building/test_sass.py"), 120),
        *_tests("g", ["tests/ops/test_emulator.py"], limit=60),
    ]


def chosen(all_steps: list[Step], only: str, skip: str) -> list[Step]:
    """Those of the stages or steps that `only` names, without those of `skip`; commas between names."""
    known = {s.stage for s in all_steps} | {s.name for s in all_steps}
    wanted, unwanted = ({word.strip() for word in text.split(",") if word.strip()} for text in (only, skip))
    for word in wanted | unwanted:
        if word not in known:
            listed = ", ".join(f"{letter} ({name})" for letter, name in STAGES.items())
            raise SystemExit(f"{word}: no such stage or step; stages: {listed}; --list shows the steps")
    return [
        step
        for step in all_steps
        if (not wanted or {step.stage, step.name} & wanted) and not {step.stage, step.name} & unwanted
    ]
