"""Lays out what a machine needs that is reached only by copying the working tree, and counts its bytes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .process import ROOT
from .results import ARCHIVE, BUILT, STATE

FOLDER = Path("build/carried")
LIMIT = 64 << 20  # bytes of the working tree and what is carried along
PARTS = ("nets", "crf", "recipe.py")  # of the reference cases


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())


def tree_size() -> int:
    """Bytes of the files that git tracks or does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    files = {ROOT / name.decode() for name in listing.split(b"\0") if name}
    return sum(path.stat().st_size for path in files if path.is_file() and not path.is_symlink())


def pack(reference: Path | None, earlier: Path | None, targets: str = "", folder: Path = FOLDER) -> list[str]:
    """Copies the reference cases and an earlier call's results to `folder`; lines that tell what to do.

    targets: GPUs, "90a", that the native modules are built for here, for a machine with the same Python.
    Raises SystemExit if that is more than LIMIT, or something is missing.
    """
    target = ROOT / folder
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    if reference:
        for part in PARTS:
            source = reference / part
            if not source.exists():
                raise SystemExit(f"{reference}: no {part} there")
            _copy(source, target / "reference" / part)
    there = [earlier / name for name in (STATE, ARCHIVE, *BUILT)] if earlier else []
    for path in filter(Path.exists, there):
        _copy(path, target / "earlier" / path.name)
    if earlier and not any(map(Path.exists, there)):
        raise SystemExit(f"{earlier}: no results there")
    if targets:
        _build(targets, target / "earlier")
    tree, carried = tree_size(), size(target)
    total = f"working tree {tree / 2**20:.1f} + carried {carried / 2**20:.1f} MiB of {LIMIT / 2**20:.0f}"
    if tree + carried > LIMIT:
        raise SystemExit(f"{total}: too much")
    words = ["python3 benchmarks/gpu.py -o OUT --budget 540"]
    words += [f"--reference {folder}/reference"] * bool(reference)
    words += [f"--resume {folder}/earlier"] * bool(earlier or targets)
    return [total, f"carry {folder}; there run:", " ".join(words)]


def _build(targets: str, folder: Path) -> None:
    for kept in BUILT:
        command = [sys.executable, "benchmarks/stages/build.py", str(folder), kept.partition(".")[0]]
        environment = os.environ | {"DEEPLAB_CAFFE_CUDA_ARCHS": targets}
        if subprocess.run(command, cwd=ROOT, env=environment).returncode:
            raise SystemExit(f"the modules for {targets} cannot be built: see above")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
