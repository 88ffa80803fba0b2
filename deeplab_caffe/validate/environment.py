"""What a result depends on besides the net: versions, machine, files."""

import datetime
import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from os import PathLike, fspath
from pathlib import Path

import torch

from .. import ops
from ..formats.files import open_file, reading
from .results import Environment, FileRecord

_PACKAGES = ("deeplab_caffe", "torch", "numpy")


def describe(
    command: str, device: str, precision: str, threads: int | None, files: list[FileRecord]
) -> Environment:
    """This process and machine, now."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return Environment(
        command=command,
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        versions=versions,
        system=f"{platform.system()} {platform.release()}",
        cpu=_cpu(),
        isa=ops.isa(),
        threads=threads or torch.get_num_threads(),
        device=device if device == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})",
        precision=precision,
        files=files,
    )


def record(role: str, path: str | PathLike[str]) -> FileRecord:
    """The file's size and sha256. DeepLabError: it cannot be read."""
    with open_file(path) as file, reading(path):
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
        return FileRecord(role, fspath(path), file.tell(), digest.hexdigest())


def _cpu() -> str:
    """The processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
