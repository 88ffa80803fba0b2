"""What this machine has: the GPU, nvcc, Python's packages that the build and the tests want."""

import importlib.metadata
import shutil
import subprocess
import sys
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
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
