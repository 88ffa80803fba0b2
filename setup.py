"""The build, by ninja (build_ninja.py): C++ always, CUDA where a GPU is or one is wanted (build_cuda.py)."""

import sys

# First of all, and without newer words: an old Python reads this far.
if sys.version_info < (3, 10):
    sys.exit("deeplab_caffe needs Python 3.10 or later; this is Python " + sys.version.split()[0])

import os
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent.resolve()
sys.path.insert(0, str(ROOT))
import build_cuda
import build_ninja
import build_proto

PROTO = Path("deeplab_caffe/formats/caffe.proto")
# What an installed package carries along, under deeplab_caffe/share; assets.py finds it.
SHARED = ("prototxt/**/*", "weights/README.md", "weights/camvid_largefov.caffemodel", "demo/*")
NVCC = build_cuda.find_nvcc()
TARGETS = build_cuda.choose_targets(NVCC)


def generate_protobuf(folder: Path) -> None:
    """Writes caffe_pb2.py beside caffe.proto (in `folder`); it is never committed."""
    folder.mkdir(parents=True, exist_ok=True)
    build_proto.write_module(ROOT / PROTO, folder / "caffe_pb2.py")


class BuildPy(build_py):
    """Copies the package and the files that ship with it, then generates the protobuf module."""

    def run(self) -> None:
        """See the class."""
        build_ninja.find_cxx()  # without a compiler nothing is copied
        if not self.editable_mode:
            # What an earlier build left there, since moved or no longer wanted, would be packed too.
            shutil.rmtree(Path(self.build_lib) / "deeplab_caffe", ignore_errors=True)
        super().run()
        if not self.editable_mode:
            for path in (p for pattern in SHARED for p in ROOT.glob(pattern) if p.is_file()):
                target = Path(self.build_lib) / "deeplab_caffe/share" / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        generate_protobuf(ROOT / PROTO.parent if self.editable_mode else Path(self.build_lib) / PROTO.parent)


class BuildExt(build_ext):
    """Lets ninja make the modules, and puts them where setuptools wants them."""

    def run(self) -> None:
        """See the class."""
        if self.inplace:
            generate_protobuf(ROOT / PROTO.parent)
        super().run()

    def build_extensions(self) -> None:
        """See the class."""
        message = build_cuda.notice(NVCC, TARGETS)
        if message:
            print(message)
        names = [ext.name.rsplit(".", 1)[1] for ext in self.extensions]
        made = build_ninja.build(ROOT, names, NVCC, TARGETS, self.parallel)
        for ext, name in zip(self.extensions, names, strict=True):
            target = Path(self.get_ext_fullpath(ext.name))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made[name], target)


def modules() -> list[str]:
    """_cuda if there is a target for it, _cuda_emulated (for tests) if asked for, and variants of both."""
    emulated = os.environ.get("DEEPLAB_CAFFE_EMULATOR") == "1"
    devices = [*(["_cuda"] if TARGETS else []), *(["_cuda_emulated"] if emulated else [])]
    return [
        "_C",
        *devices,
        *(f"{device}_{name}" for device in devices for name in build_ninja.wanted_variants()),
    ]


setup(
    license="BSD-3-Clause",
    packages=sorted(
        str(p.parent.relative_to(ROOT)).replace(os.sep, ".")
        for p in (ROOT / "deeplab_caffe").rglob("__init__.py")
    ),
    package_data={
        "deeplab_caffe": ["py.typed", "*.pyi"],
        "deeplab_caffe.formats": ["caffe.proto", "*.pyi"],
        "deeplab_caffe.pycaffe": ["top-level/*.py"],
        "deeplab_caffe.pydensecrf": ["top-level/*.py"],
        "deeplab_caffe.netgraph": ["templates/*"],
        "deeplab_caffe.segmenter": ["templates/*"],
        "deeplab_caffe.validate": ["templates/*"],
    },
    ext_modules=[Extension(f"deeplab_caffe.{name}", sources=[]) for name in modules()],
    cmdclass={"build_py": BuildPy, "build_ext": BuildExt},
)
