import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instruction_sets import SETS, lesser_sets

# Plans, processes and CUDA kernels, which know no instruction set.
OTHERS = [
    "test_conv_tile_plan.py",
    "test_device_*.py",
    "test_emulator.py",
    "test_fork.py",
    "test_gpu_*.py",
    "test_tensor_core*.py",
]


@pytest.mark.slow
@pytest.mark.skipif("DEEPLAB_CAFFE_ISA" in os.environ, reason="an instruction set is forced already")
@pytest.mark.parametrize("isa", SETS[:-1])
def test_every_op_has_the_same_bits_with_each_instruction_set(isa):
    """The set is chosen once per process, so the neighbouring tests run again in a process of their own."""
    if isa not in lesser_sets():
        pytest.skip("tested directly, or not to be had here")
    here = Path(__file__).parent
    left_out = [f"--ignore-glob={here / name}" for name in OTHERS]
    # The twin's cases have a process for each instruction set already.
    words = ["-q", "-x", "-k", "not equals_the_twin", *left_out, str(here)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        env={**os.environ, "DEEPLAB_CAFFE_ISA": isa},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
