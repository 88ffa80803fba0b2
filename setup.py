"""The build: C++ always, csrc/*/simd once per instruction set, CUDA when nvcc is there (build_cuda.py).

Nothing outside an explicit fma may be contracted (-ffp-contract=off) and nothing reassociated
(no -ffast-math): the results are promised to the last bit. The flags here decide that.
"""

import os
import platform
import shlex
import shutil
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))
import build_cuda  # noqa: E402
import build_proto  # noqa: E402

PROTO = Path("deeplab_caffe/formats/caffe.proto")
# What an installed package carries along, under deeplab_caffe/share; assets.py finds it.
SHARED = ("prototxt/**/*", "weights/README.md", "weights/camvid_largefov.caffemodel", "demo/*")
COMMON = [
    "-std=c++17",
    "-O3",
    "-g0",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fopenmp",
    "-fvisibility=hidden",
]
NVCC = build_cuda.find_nvcc()
X86 = platform.machine().lower() in ("x86_64", "amd64")
# csrc/*/simd/*.cpp is compiled once per entry, in the namespace the macro ISA names.
INSTRUCTION_SETS = {"portable": []}
if X86:
    INSTRUCTION_SETS["avx2"] = ["-mavx2", "-mfma"]
    INSTRUCTION_SETS["avx512"] = [
        "-mavx512f",
        "-mavx512vl",
        "-mavx512bw",
        "-mavx512dq",
        "-mfma",
        "-mprefer-vector-width=512",
    ]


def generate_protobuf(folder: Path) -> None:
    """Writes caffe_pb2.py beside caffe.proto (in `folder`); it is never committed."""
    source = ROOT / PROTO
    folder.mkdir(parents=True, exist_ok=True)
    try:
        from grpc_tools import protoc
    except ImportError:
        build_proto.write_module(source, folder / "caffe_pb2.py")
        return
    if protoc.main(["protoc", f"-I{source.parent}", f"--python_out={folder}", str(source)]):
        raise RuntimeError(f"protoc failed on {source}")


class BuildPy(build_py):
    """Copies the package and the files that ship with it, then generates the protobuf module."""

    def run(self) -> None:
        """See the class."""
        super().run()
        if not self.editable_mode:
            for path in (p for pattern in SHARED for p in ROOT.glob(pattern) if p.is_file()):
                target = Path(self.build_lib) / "deeplab_caffe/share" / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        generate_protobuf(ROOT / PROTO.parent if self.editable_mode else Path(self.build_lib) / PROTO.parent)


class BuildExt(build_ext):
    """Compiles csrc/*/simd once per instruction set and links everything into one extension."""

    def run(self) -> None:
        """See the class."""
        if self.inplace:
            generate_protobuf(ROOT / PROTO.parent)
        super().run()

    def build_extension(self, ext: Extension) -> None:
        """See the class."""
        if ext.name != "deeplab_caffe._C":
            self._add_device_objects(ext)
            self.force = True  # linked anew each time: the targets may have changed
            return super().build_extension(ext)
        simd = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "csrc").glob("*/simd/*.cpp"))
        for name, flags in INSTRUCTION_SETS.items():
            ext.extra_objects += self.compiler.compile(
                simd,
                output_dir=os.path.join(self.build_temp, name),
                include_dirs=ext.include_dirs,
                macros=[("ISA", name), (f"ISA_{name.upper()}", "1")],
                extra_postargs=[*ext.extra_compile_args, *flags],
                depends=ext.depends,
            )
        super().build_extension(ext)

    def _add_device_objects(self, ext: Extension) -> None:
        """Compiles what a device module is made of; a file whose sources are unchanged is kept."""
        import pybind11

        emulated = ext.name.endswith("_emulated")
        folder = Path(self.build_temp) / ext.name.rsplit(".", 1)[1]
        compiler = shlex.split(os.environ.get("CXX", "")) or ["g++"]
        targets = [] if emulated else build_cuda.choose_targets(NVCC)
        macros = [f"-DMODULE={folder.name}", f'-DDEVICE_TARGETS="{",".join(targets)}"']
        includes = ["-Icsrc", f"-I{pybind11.get_include()}", *(f"-I{path}" for path in self.include_dirs)]
        flags = [*COMMON, *macros, *includes]
        if emulated:
            ext.extra_objects += build_cuda.emulated_objects(compiler, folder / "kernels", flags)
        else:
            ext.extra_objects += build_cuda.nvcc_objects(NVCC, targets, folder / "kernels", COMMON)
            ext.extra_link_args += build_cuda.link_flags(NVCC)
        ext.extra_objects += build_cuda.host_objects(compiler, folder, flags)


def device_modules() -> list[Extension]:
    """_cuda if there is a compiler and a target for it, _cuda_emulated if asked for."""
    names = ["_cuda"] if NVCC and build_cuda.choose_targets(NVCC) else []
    if os.environ.get("DEEPLAB_CAFFE_EMULATOR") == "1":
        names.append("_cuda_emulated")
    depends = [str(p.relative_to(ROOT)) for p in (ROOT / "csrc").rglob("*.*")]
    return [
        Extension(
            f"deeplab_caffe.{name}", sources=[], depends=depends, extra_link_args=["-fopenmp"], language="c++"
        )
        for name in names
    ]


def extension() -> Extension:
    """The native module of the CPU."""
    import pybind11

    return Extension(
        "deeplab_caffe._C",
        sources=sorted(str(p.relative_to(ROOT)) for p in (ROOT / "csrc").glob("*/*.cpp")),
        # The simd sources too: nothing else makes a change of theirs link again.
        depends=[str(p.relative_to(ROOT)) for p in (ROOT / "csrc").rglob("*") if p.suffix in (".h", ".cpp")],
        include_dirs=["csrc", pybind11.get_include()],
        define_macros=[("MODULE", "_C"), *([("HAVE_X86", "1")] if X86 else [])],
        extra_compile_args=COMMON,
        extra_link_args=["-fopenmp"],
        language="c++",
    )


setup(
    packages=sorted(
        str(p.parent.relative_to(ROOT)).replace(os.sep, ".")
        for p in (ROOT / "deeplab_caffe").rglob("__init__.py")
    ),
    package_data={"deeplab_caffe": ["py.typed", "*.pyi"], "deeplab_caffe.formats": ["caffe.proto"]},
    ext_modules=[extension(), *device_modules()],
    cmdclass={"build_py": BuildPy, "build_ext": BuildExt},
)
