"""What this machine has: the GPU, nvcc, Python's packages that are wanted, and what torch says of the GPU."""

import importlib.metadata
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import build_cuda

BUILD = ("setuptools", "ninja", "pybind11", "protobuf")
RUN = ("torch", "numpy", "pillow", "typer", "rich", "h5py", "jinja2", "matplotlib", "networkx", "pytest")
TOO = ("pytest-timeout", "scipy", "grpcio-tools")


def version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def main() -> int:
    print("Python", sys.version.split()[0], sys.executable)
    for command in (["nvidia-smi"], [str(build_cuda.find_nvcc() or "nvcc"), "--version"]):
        try:
            print(subprocess.run(command, capture_output=True, text=True).stdout.strip())
        except OSError as error:
            print(error)
    print("compute-sanitizer:", shutil.which("compute-sanitizer") or "not on PATH")
    print("cuobjdump:", shutil.which("cuobjdump") or "not on PATH")
    found = {name: version(name) for name in BUILD + RUN + TOO}
    print(", ".join(f"{name} {number or 'missing'}" for name, number in found.items()))
    if missing := [name for name in BUILD + RUN if found[name] is None]:
        print(f"missing: {', '.join(missing)}; PYTHONPATH may name a folder that has them", flush=True)
        return 1
    return use_torch()


def use_torch() -> int:
    """A product on the GPU, if there is one, and the seconds that took from the import on."""
    begun = time.monotonic()
    import torch

    imported = time.monotonic() - begun
    print(
        f"torch {torch.__version__} for CUDA {torch.version.cuda}, imported in {imported:.1f} s", flush=True
    )
    if not torch.cuda.is_available():
        wanted = bool(build_cuda.present_gpus())
        print("torch sees no GPU", "(nvidia-smi does)" if wanted else "")
        return int(wanted)
    x = torch.ones(256, 256, device="cuda")
    good = bool((x @ x == 256).all())
    card, free = torch.cuda.get_device_properties(0), torch.cuda.mem_get_info()[0] / 2**30
    print(f"{card.name}, sm_{card.major}{card.minor}, {card.multi_processor_count} multiprocessors, "
          f"{free:.0f} GiB free, cuDNN {torch.backends.cudnn.version()}")  # fmt: skip
    print(
        f"first product {'right' if good else 'WRONG'}, {time.monotonic() - begun:.1f} s from the import on"
    )
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
