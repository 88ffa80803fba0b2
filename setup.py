"""The build: C++ always, one copy of csrc/simd per instruction set; the flags here decide bits.

Nothing outside an explicit fma may be contracted (-ffp-contract=off) and nothing reassociated
(no -ffast-math): the results are promised to the last bit.
"""

import os
import platform
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
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
X86 = platform.machine().lower() in ("x86_64", "amd64")
# csrc/simd/*.cpp is compiled once per entry, in the namespace the macro ISA names.
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
    from grpc_tools import protoc

    source = ROOT / PROTO
    folder.mkdir(parents=True, exist_ok=True)
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
    """Compiles csrc/simd once per instruction set and links everything into one extension."""

    def run(self) -> None:
        """See the class."""
        if self.inplace:
            generate_protobuf(ROOT / PROTO.parent)
        super().run()

    def build_extension(self, ext: Extension) -> None:
        """See the class."""
        simd = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "csrc/simd").glob("*.cpp"))
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


def extension() -> Extension:
    """The one native module."""
    import pybind11

    return Extension(
        "deeplab_caffe._C",
        sources=sorted(str(p.relative_to(ROOT)) for p in (ROOT / "csrc").glob("*.cpp")),
        # The simd sources too: nothing else makes a change of theirs link again.
        depends=[str(p.relative_to(ROOT)) for p in (ROOT / "csrc").rglob("*") if p.suffix in (".h", ".cpp")],
        include_dirs=["csrc", pybind11.get_include()],
        define_macros=[("HAVE_X86", "1")] if X86 else [],
        extra_compile_args=COMMON,
        extra_link_args=["-fopenmp"],
        language="c++",
    )


setup(
    packages=["deeplab_caffe"]
    + [f"deeplab_caffe.{p.parent.name}" for p in ROOT.glob("deeplab_caffe/*/__init__.py")],
    package_data={"deeplab_caffe.formats": ["caffe.proto"]},
    ext_modules=[extension()],
    cmdclass={"build_py": BuildPy, "build_ext": BuildExt},
)
