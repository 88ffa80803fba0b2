"""Puts the native modules in place, for this machine's GPU: those that an earlier call or another machine has
built, if they are of these sources and load here; else it builds them, on all cores.

`python benchmarks/stages/build.py FOLDER [variants]`: FOLDER/modules.tar.gz keeps them, with a digest of what
they are made of; of the other forms of kernels (build_ninja.VARIANTS) variants.tar.xz.
DEEPLAB_CAFFE_CUDA_ARCHS=90a builds for a machine elsewhere with the same Python.
"""

import hashlib
import os
import subprocess
import sys
import sysconfig
import tarfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
import build_cuda
import build_ninja

PACKAGE = ROOT / "deeplab_caffe"
# What keeps the modules of each name. xz sees what the variants, some megabytes each, have in common.
KEPT = {"modules": "modules.tar.gz", "variants": "variants.tar.xz"}
ARCHS = "DEEPLAB_CAFFE_CUDA_ARCHS"
CHECK = (
    "import importlib, sys; from deeplab_caffe import _C; print('_C', _C.isa());"
    "[print(n, importlib.import_module('deeplab_caffe.' + n).TARGETS) for n in sys.argv[1:]];"
    "import deeplab_caffe.formats.caffe_pb2"
)


def targets() -> list[str]:
    """What to build for; nothing for the CPU only."""
    given = os.environ.get(ARCHS, "native")
    return build_cuda.present_gpus() if given == "native" else given.split(",")


def made_of(name: str) -> str:
    """A digest of all that decides what the modules are, but for the compilers."""
    digest = hashlib.sha256(f"{name} {sysconfig.get_config_var('EXT_SUFFIX')} {targets()}".encode())
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


def keep(kept: Path, key: str, built: list[Path]) -> None:
    """Packs the modules."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(kept.with_suffix(".part"), f"w:{kept.suffix[1:]}") as archive:
        archive.addfile(tarfile.TarInfo(key))
        for path in built:
            archive.add(path, path.relative_to(ROOT).as_posix())
    kept.with_suffix(".part").replace(kept)


def load(modules: list[str]) -> bool:
    """Whether the modules can be loaded, in a process of its own."""
    return subprocess.run([sys.executable, "-c", CHECK, *modules], cwd=ROOT).returncode == 0


def main(folder: Path, name: str = "modules") -> int:
    kept, key, begun = folder / KEPT[name], made_of(name), time.monotonic()
    devices, environment = ["_cuda"], {ARCHS: "native"} | os.environ
    if name == "modules":
        # Where in the sources something went wrong is worth knowing; the code stays the same.
        environment["NVCC_APPEND_FLAGS"] = f"{os.environ.get('NVCC_APPEND_FLAGS', '')} -lineinfo".strip()
    else:
        devices = [f"_cuda_{variant}" for variant in build_ninja.VARIANTS]
        environment["DEEPLAB_CAFFE_VARIANTS"] = "all"
    devices = devices if targets() else []
    if unpack(kept, key):
        if load(devices):
            print("the modules that were built before fit", flush=True)
            return 0
        print("the modules that were built before do not load here", flush=True)
    jobs = f"-j{os.cpu_count()}"
    command = [sys.executable, "-W", "ignore", "setup.py", "-q", "build_ext", "--inplace", jobs]
    status = subprocess.run(command, cwd=ROOT, env=environment).returncode
    print(f"built in {time.monotonic() - begun:.1f} s, status {status}", flush=True)
    if status or not load(devices):
        return 1
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    own = devices if name == "variants" else ["_C", *devices]
    keep(kept, key, [*(PACKAGE / f"{module}{suffix}" for module in own), PACKAGE / "formats/caffe_pb2.py"])
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
