"""The kernels for 64-bit ARM, cross-compiled and run in an emulator: the bits of this machine's."""

import os
import platform
import shutil
import subprocess

import pytest

from tests.building.kernel_program import build

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "DEEPLAB_CAFFE_CROSS" not in os.environ, reason="minutes long: DEEPLAB_CAFFE_CROSS=1 asks for it"
    ),
    pytest.mark.skipif(
        not (shutil.which(COMPILER) and shutil.which(EMULATOR)),
        reason=f"needs {COMPILER} and {EMULATOR} (packages g++-aarch64-linux-gnu, qemu-user)",
    ),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="compares with the kernels for x86"),
]


def hashes(program, isa, *emulator):
    environment = {**os.environ, "DEEPLAB_CAFFE_ISA": isa}
    done = subprocess.run([*emulator, program], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == isa and "not finite" not in done.stdout
    # Of instructions that only some processors have, the program says itself whether the bits are right.
    assert "differ" not in done.stdout
    return [line for line in done.stdout.splitlines() if not line.startswith("instructions: ")]


def test_bits_of_neon(build_ninja, tmp_path):
    here = build(build_ninja, "g++", "x86", tmp_path / "x86")
    there = build(build_ninja, COMPILER, "arm", tmp_path / "arm")
    expected = hashes(here, "portable")
    assert len(expected) > 60
    assert hashes(there, "portable", EMULATOR) == expected
    assert hashes(there, "neon", EMULATOR) == expected
