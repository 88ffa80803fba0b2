"""The kernels for 64-bit ARM, cross-compiled and run in an emulator: the bits of this machine's."""

import os
import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which(COMPILER) and shutil.which(EMULATOR)),
        reason=f"needs {COMPILER} and {EMULATOR} (packages g++-aarch64-linux-gnu, qemu-user)",
    ),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="compares with the kernels for x86"),
]


def sources(pattern):
    """Kernels of the CPU, without what belongs to Python's module."""
    files = ROOT.glob(f"csrc/{pattern}")
    return [path for path in files if not path.name.startswith(("bind", "module", "fork"))]


def build(build_ninja, cxx, machine, folder):
    """The program of kernel_hashes.cpp with all kernels that a build for `machine` has."""
    graph = build_ninja.Graph(ROOT, folder, build_ninja.Tools([cxx], [], machine))
    command = graph.cxx("-O2")
    jobs = [
        (path, "once", command)
        for path in [*sources("*/*.cpp"), Path(__file__).with_name("kernel_hashes.cpp")]
    ]
    for isa, flags in build_ninja.instruction_sets(machine).items():
        macros = [f"-DISA={isa}", f"-DISA_{isa.upper()}=1", *flags]
        jobs += [(path, isa, [*command, *macros]) for path in sources("*/simd/*.cpp")]

    def compile(job):
        path, isa, compiler = job
        made = folder / f"{path.parent.parent.name}-{path.stem}-{isa}.o"
        subprocess.run([*compiler, "-c", path, "-o", made], cwd=ROOT, check=True)
        return made

    folder.mkdir()
    with ThreadPoolExecutor(build_ninja.cores()) as pool:
        objects = list(pool.map(compile, jobs))
    program = folder / "kernel_hashes"
    subprocess.run([cxx, "-static", "-fopenmp", *objects, "-o", program], check=True)
    return program


def hashes(program, isa, *emulator):
    environment = {**os.environ, "DEEPLAB_CAFFE_ISA": isa}
    done = subprocess.run([*emulator, program], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == isa and "not finite" not in done.stdout
    return done.stdout.splitlines()


def test_bits_of_neon(build_ninja, tmp_path):
    here = build(build_ninja, "g++", "x86", tmp_path / "x86")
    there = build(build_ninja, COMPILER, "arm", tmp_path / "arm")
    expected = hashes(here, "portable")
    assert len(expected) > 60
    assert hashes(there, "portable", EMULATOR) == expected
    assert hashes(there, "neon", EMULATOR) == expected
