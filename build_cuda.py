"""Compiles csrc/*/cuda for setup.py: with nvcc for GPUs, with the C++ compiler for the host emulator.

DEEPLAB_CAFFE_CUDA=0 leaves the CUDA part out. DEEPLAB_CAFFE_CUDA_ARCHS narrows the targets ("90a", "80,86"),
"native" to the cards of this machine. DEEPLAB_CAFFE_EMULATOR=1 also builds the emulated module, for tests.
"""

import os
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent
FOLDER = Path("csrc")
# Host code of the CPU part that device ops use too.
SHARED_SOURCES = ["csrc/conv/conv_plan.cpp", "csrc/platform/module.cpp"]
TARGETS = ("80", "86", "89", "90a", "100", "120")
# No contraction outside an explicit fma: the results are promised to the last bit.
NVCC_FLAGS = ["-std=c++17", "-O3", "--fmad=false", "-Xptxas", "-v"]


def find_nvcc() -> Path | None:
    """nvcc on PATH, in CUDA_HOME or under /usr/local/cuda*; None if there is none or it is unwanted."""
    if os.environ.get("DEEPLAB_CAFFE_CUDA") == "0":
        return None
    folders = [Path(home) for home in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH")) if home]
    folders += sorted(Path("/usr/local").glob("cuda*"), reverse=True)
    on_path = shutil.which("nvcc")
    found = [Path(on_path)] if on_path else []
    found += [folder / "bin/nvcc" for folder in folders if (folder / "bin/nvcc").is_file()]
    return found[0].resolve() if found else None


def choose_targets(nvcc: Path) -> list[str]:
    """What to compile for: 80, 90a, 120+PTX (for what comes after it); nothing if "native" finds no card."""
    wanted = os.environ.get("DEEPLAB_CAFFE_CUDA_ARCHS", "")
    if wanted == "native":
        return _present_cards()
    listing = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"compute_(\d+)", listing))
    if not wanted:
        targets = [target for target in TARGETS if target.rstrip("af") in known]
        if not targets:
            raise SystemExit(
                f"{nvcc} is too old for any of the targets; DEEPLAB_CAFFE_CUDA=0 does without it"
            )
        return [*targets, targets[-1] + "+PTX"]
    targets = [target for target in re.split(r"[,; ]+", wanted) if target]
    for target in targets:
        if target.removesuffix("+PTX").rstrip("af") not in known:
            listed = ", ".join(sorted(known, key=int))
            raise SystemExit(f"DEEPLAB_CAFFE_CUDA_ARCHS: {target} is unknown to {nvcc}; it knows {listed}")
    return targets


def _present_cards() -> list[str]:
    try:
        command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    found = {line.strip().replace(".", "") for line in listing.splitlines() if line.strip()}
    return sorted("90a" if target == "90" else target for target in found)


def nvcc_objects(nvcc: Path, targets: list[str], folder: Path, flags: list[str]) -> list[str]:
    """Compiles every .cu for all targets into `folder`; the object files."""
    codes = []
    for target in targets:
        name, _, ptx = target.partition("+")
        codes.append(f"-gencode=arch=compute_{name},code={'compute' if ptx else 'sm'}_{name}")
    host = [word for flag in [*flags, "-fPIC"] for word in ("-Xcompiler", flag)]
    command = [str(nvcc), *NVCC_FLAGS, f"-I{FOLDER}", *codes, *host]
    return _compile(command, sorted(FOLDER.glob("*/cuda/*.cu")), folder)


def emulated_objects(compiler: list[str], folder: Path, flags: list[str]) -> list[str]:
    """Compiles every .cu, and the emulator, for the host."""
    command = [*compiler, *flags, "-fPIC", "-march=native"]
    objects = _compile([*command, "-x", "c++"], sorted(FOLDER.glob("*/cuda/*.cu")), folder)
    return objects + _compile(command, sorted(FOLDER.glob("platform/emulator/*.cpp")), folder / "emulator")


def host_objects(compiler: list[str], folder: Path, flags: list[str]) -> list[str]:
    """Compiles the bindings and other host code of a device module."""
    command = [*compiler, *flags, "-fPIC"]
    shared = [Path(source) for source in SHARED_SOURCES]
    return _compile(command, sorted(FOLDER.glob("*/cuda/*.cpp")), folder) + _compile(
        command, shared, folder / "shared"
    )


def link_flags(nvcc: Path) -> list[str]:
    """Flags that link the CUDA runtime statically, so that no CUDA is needed where the package runs."""
    home = nvcc.parent.parent
    library = next((p.parent for p in sorted(home.glob("**/libcudart_static.a"))), home / "lib64")
    return [f"-L{library}", "-lcudart_static", "-ldl", "-lrt", "-lpthread"]


def _compile(command: list[str], sources: list[Path], folder: Path) -> list[str]:
    """Objects of `sources`; those whose command, source and headers are unchanged are kept."""
    objects = [folder / source.relative_to(FOLDER).with_suffix(".o") for source in sources]
    for target in objects:
        target.parent.mkdir(parents=True, exist_ok=True)
    jobs = int(os.environ.get("MAX_JOBS", 0)) or len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda pair: _compile_one(command, *pair), zip(sources, objects, strict=True)))
    return [str(path) for path in objects]


def _compile_one(command: list[str], source: Path, target: Path) -> None:
    """Writes the object, beside it its log (registers and memory of each kernel) and what it depends on."""
    depends, log = target.with_suffix(".d"), target.with_suffix(".log")
    line = shlex.join([*command, str(source)])
    if _up_to_date(target, depends, log, line):
        return
    print(f"compiling {source}: {target}", flush=True)
    # Under a name of our own first: another build may be at the same file.
    own = f".{os.getpid()}"
    made, listed = Path(f"{target}{own}"), Path(f"{depends}{own}")
    done = subprocess.run(
        [*command, "-c", str(source), "-o", str(made), "-MD", "-MF", str(listed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(
            f"{line}\n{done.stdout}\n{source} does not compile; "
            "DEEPLAB_CAFFE_CUDA=0 leaves the CUDA part out, DEEPLAB_CAFFE_CUDA_ARCHS chooses the targets"
        )
    log.write_text(f"{line}\n{done.stdout}")
    os.replace(listed, depends)
    os.replace(made, target)


def _up_to_date(target: Path, depends: Path, log: Path, line: str) -> bool:
    if not (target.exists() and depends.exists() and log.exists()):
        return False
    if log.read_text().split("\n", 1)[0] != line:
        return False
    made = target.stat().st_mtime
    names = depends.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    return all(Path(name).exists() and Path(name).stat().st_mtime < made for name in names)
