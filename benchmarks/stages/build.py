"""Builds in place for this machine's GPU, on all cores; what an earlier call built is unpacked instead.

`python benchmarks/stages/build.py FOLDER`: FOLDER/modules.tar.gz keeps them, with a digest of their sources.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
import build_cuda

PACKAGE = ROOT / "deeplab_caffe"
CHECK = (
    "import importlib, sys; from deeplab_caffe import _C; print('_C', _C.isa());"
    "[print(n, importlib.import_module('deeplab_caffe.' + n).TARGETS) for n in sys.argv[1:]];"
    "import deeplab_caffe.formats.caffe_pb2"
)


def made_of() -> str:
    """A digest of all that decides what the modules are."""
    digest = hashlib.sha256(f"{sys.implementation.cache_tag} {build_cuda.present_gpus()}".encode())
    nvcc = build_cuda.find_nvcc()
    if nvcc:
        digest.update(subprocess.run([nvcc, "--version"], capture_output=True).stdout)
    sources = [
        *ROOT.glob("csrc/**/*.*"),
        *ROOT.glob("build_*.py"),
        ROOT / "setup.py",
        *PACKAGE.glob("**/*.proto"),
    ]
    for path in sorted(sources):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def unpack(kept: Path, key: str) -> bool:
    """Whether the modules of an earlier call are these; then they are put in place."""
    if not kept.exists():
        return False
    with tarfile.open(kept) as archive:
        if key not in archive.getnames():
            return False
        members = [member for member in archive if member.name.startswith("deeplab_caffe/")]
        archive.extractall(ROOT, members, filter="data")
    return True


def keep(kept: Path, key: str) -> None:
    """Packs the modules."""
    built = [*PACKAGE.glob("_*.so"), PACKAGE / "formats/caffe_pb2.py"]
    with tarfile.open(kept.with_suffix(".part"), "w:gz", compresslevel=4) as archive:
        archive.addfile(tarfile.TarInfo(key))
        for path in built:
            archive.add(path, path.relative_to(ROOT).as_posix())
    kept.with_suffix(".part").replace(kept)


def main(folder: Path) -> int:
    kept, key, begun = folder / "modules.tar.gz", made_of(), time.monotonic()
    device = ["_cuda"] if build_cuda.present_gpus() else []
    fits = unpack(kept, key)
    if fits:
        print("the modules of an earlier call fit", flush=True)
    else:
        jobs = f"-j{os.cpu_count()}"
        command = [sys.executable, "-W", "ignore", "setup.py", "-q", "build_ext", "--inplace", jobs]
        environment = {"DEEPLAB_CAFFE_CUDA_ARCHS": "native"} | os.environ
        status = subprocess.run(command, cwd=ROOT, env=environment).returncode
        print(f"built in {time.monotonic() - begun:.1f} s, status {status}", flush=True)
        if status:
            return 1
    checked = subprocess.run([sys.executable, "-c", CHECK, *device], cwd=ROOT).returncode
    if checked == 0 and not fits:
        keep(kept, key)
    return checked


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
