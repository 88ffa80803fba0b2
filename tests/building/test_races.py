"""The kernels' threads under ThreadSanitizer, which knows OpenMP's barriers by LLVM's libarcher."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.building.kernel_program import build

FLAGS = ("-O1", "-g1", "-fsanitize=thread", "-Wno-everything")
RACE = """int main() {
  long sum = 0;
#pragma omp parallel for num_threads(2)
  for (int i = 0; i < 100000; ++i) sum += i;
  return sum == 1;
}"""


def newest(paths):
    return max(map(str, paths), default=None, key=lambda path: (len(path), path))


CLANG = shutil.which("clang++") or newest(Path("/usr/bin").glob("clang++-*"))
ARCHER = newest(Path("/usr/lib").glob("llvm-*/lib/libarcher.so"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "DEEPLAB_CAFFE_CROSS" not in os.environ, reason="minutes long: DEEPLAB_CAFFE_CROSS=1 asks for it"
    ),
    pytest.mark.skipif(
        not (CLANG and ARCHER), reason="needs clang and libarcher (packages clang-14, libomp-14-dev)"
    ),
]


def run(program, isa):
    environment = {
        **os.environ,
        "DEEPLAB_CAFFE_ISA": isa,
        "OMP_TOOL_LIBRARIES": ARCHER,
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1 exitcode=66",
    }
    return subprocess.run([program], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("isa", ["portable", "avx2"])
def test_no_thread_races_with_another(build_ninja, tmp_path_factory, isa):
    folder = tmp_path_factory.getbasetemp() / "races"
    if not (folder / "kernel_hashes").exists():
        build(build_ninja, CLANG, "x86", folder, FLAGS, ["-fsanitize=thread"])
    done = run(folder / "kernel_hashes", isa)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.splitlines()) > 60


def test_a_race_would_be_found(tmp_path):
    (tmp_path / "race.cpp").write_text(RACE)
    command = [CLANG, *FLAGS, "-fopenmp", tmp_path / "race.cpp", "-o", tmp_path / "race"]
    subprocess.run(command, check=True)
    done = run(tmp_path / "race", "portable")
    assert done.returncode == 66 and "data race" in done.stderr
