"""Whether and for which GPUs setup.py builds the CUDA kernels.

| set | to build for |
|---|---|
| nothing | the GPUs of this machine; the CPU only where there are none |
| DEEPLAB_CAFFE_CUDA=1 | all that nvcc knows of TARGETS |
| DEEPLAB_CAFFE_CUDA_ARCHS=80,90a | these; native: the GPUs of this machine |
| DEEPLAB_CAFFE_CUDA=0 | the CPU only |
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

TARGETS = ("80", "86", "89", "90a", "100", "120")


def toolkits() -> list[Path]:
    """Where CUDA may be: CUDA_HOME, CUDA_PATH, /usr/local/cuda*."""
    named = [Path(home) for home in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH")) if home]
    return named + sorted(Path("/usr/local").glob("cuda*"), reverse=True)


def find_nvcc() -> Path | None:
    """nvcc on PATH, in CUDA_HOME or under /usr/local/cuda*."""
    on_path = shutil.which("nvcc")
    found = [Path(on_path)] if on_path else []
    found += [folder / "bin/nvcc" for folder in toolkits() if (folder / "bin/nvcc").is_file()]
    return found[0].resolve() if found else None


def choose_targets(nvcc: Path | None) -> list[str]:
    """What to compile for: 80, 90a, 120+PTX (for what comes after it); nothing for the CPU only."""
    wanted = os.environ.get("DEEPLAB_CAFFE_CUDA_ARCHS", "")
    switch = os.environ.get("DEEPLAB_CAFFE_CUDA", "")
    if switch == "0":
        return []
    if nvcc is None:
        if switch == "1":
            raise SystemExit("DEEPLAB_CAFFE_CUDA=1: no nvcc on PATH, in CUDA_HOME or under /usr/local/cuda*")
        return []
    everything = switch == "1" and not wanted
    if everything:
        targets = list(TARGETS)
    elif wanted in ("", "native"):
        targets = present_gpus()
    else:
        targets = [target for target in re.split(r"[,; ]+", wanted) if target]
    if not targets:
        return []
    known = known_to(nvcc)
    unknown = [target for target in targets if target.removesuffix("+PTX").rstrip("af") not in known]
    if not everything and unknown:
        listed = ", ".join(sorted(known, key=int))
        raise SystemExit(
            f"{nvcc} does not know sm_{unknown[0]}, only {listed}; DEEPLAB_CAFFE_CUDA_ARCHS chooses others, "
            "DEEPLAB_CAFFE_CUDA=0 does without"
        )
    targets = [target for target in targets if target not in unknown]
    if not targets:
        raise SystemExit(f"{nvcc} is too old for any of the targets; DEEPLAB_CAFFE_CUDA=0 does without it")
    return [*targets, targets[-1] + "+PTX"] if everything else targets


def known_to(nvcc: Path) -> set[str]:
    """The architectures that nvcc compiles for: 80, 90..."""
    listing = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"compute_(\d+)", listing))


def present_gpus() -> list[str]:
    """The architectures of this machine's GPUs."""
    try:
        command = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    found = {line.strip().replace(".", "") for line in listing.splitlines() if line.strip()}
    return sorted("90a" if target == "90" else target for target in found)


def notice(nvcc: Path | None, targets: list[str]) -> str | None:
    """What to tell the user who gets no CUDA kernels and has not said that none are wanted."""
    if targets or os.environ.get("DEEPLAB_CAFFE_CUDA") == "0":
        return None
    if nvcc is None:
        return "No nvcc found: building for the CPU only (CUDA_HOME names the folder of a CUDA toolkit)"
    return (
        "No GPU found: building for the CPU only (DEEPLAB_CAFFE_CUDA=1 builds for all GPUs, "
        "DEEPLAB_CAFFE_CUDA_ARCHS=80,90a for some)"
    )


def target_flags(targets: list[str]) -> list[str]:
    """nvcc's flags for the targets."""
    flags = []
    for target in targets:
        name, _, ptx = target.partition("+")
        flags.append(f"-gencode=arch=compute_{name},code={'compute' if ptx else 'sm'}_{name}")
    return flags


def link_flags(nvcc: Path) -> list[str]:
    """Flags that link the CUDA runtime statically, so that no CUDA is needed where the package runs."""
    # The nvcc on PATH may be a script that calls the one of a toolkit elsewhere.
    homes = [nvcc.parent.parent, *toolkits()]
    places = [
        path for home in homes for name in ("lib*", "targets/*/lib") for path in sorted(home.glob(name))
    ]
    library = next((p for p in places if (p / "libcudart_static.a").is_file()), homes[0] / "lib64")
    return [f"-L{library}", "-lcudart_static", "-ldl", "-lrt", "-lpthread"]
