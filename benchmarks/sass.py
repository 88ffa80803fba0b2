"""What the compiler made of the CUDA kernels: resources and instructions, by cuobjdump.

`python benchmarks/sass.py MODULE` prints a line for each kernel. cuobjdump is looked for on PATH, beside nvcc
and in the Python packages nvidia-cuda-cuobjdump and triton; CUOBJDUMP names another.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
import build_cuda

_INSTRUCTION = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)([._A-Z0-9]*)")
_RESOURCES = re.compile(r"Function (\S+):\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")


def find_cuobjdump() -> Path | None:
    packages = Path(sysconfig.get_path("purelib"))
    nvcc = build_cuda.find_nvcc()
    places = [
        Path(os.environ.get("CUOBJDUMP") or "/nowhere"),
        Path(shutil.which("cuobjdump") or "/nowhere"),
        *([nvcc.parent / "cuobjdump"] if nvcc else []),
        *packages.glob("nvidia/*/bin/cuobjdump"),
        packages / "triton/backends/nvidia/bin/cuobjdump",
    ]
    return next((place for place in places if place.is_file()), None)


def _dump(module: Path, what: str) -> str:
    tool = find_cuobjdump()
    if tool is None:
        raise SystemExit("this needs cuobjdump: pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm")
    path = os.pathsep.join([str(tool.parent), os.environ.get("PATH", "")])  # it calls nvdisasm
    command = [str(tool), what, str(module)]
    run = subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{tool}: {run.stderr.strip()}")
    return run.stdout


def resources(module: Path) -> dict[str, dict[str, int]]:
    """Registers and bytes of stack and static shared memory of each kernel, by its mangled name."""
    found = _RESOURCES.findall(_dump(module, "--dump-resource-usage"))
    return {
        name: dict(zip(("registers", "stack", "shared", "local"), map(int, numbers), strict=True))
        for name, *numbers in found
    }


def instructions(module: Path, whole: bool = False) -> dict[str, Counter[str]]:
    """How often each instruction occurs in each kernel; whole: with what follows its first dot."""
    found: dict[str, Counter[str]] = {}
    current: Counter[str] = Counter()
    for line in _dump(module, "--dump-sass").splitlines():
        if "Function : " in line:
            current = found.setdefault(line.split("Function : ")[1].strip(), Counter())
        elif match := _INSTRUCTION.match(line):
            current[match[1] + (match[2] if whole else "")] += 1
    return found


def main(module: Path) -> None:
    used = resources(module)
    for name, counted in instructions(module).items():
        numbers = " ".join(
            f"{word} {counted[word]}" for word in ("FFMA", "FMUL", "FADD", "HGMMA", "HMMA", "LDL")
        )
        print(f"{used[name]['registers']:3} registers, stack {used[name]['stack']}, {numbers}: {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
