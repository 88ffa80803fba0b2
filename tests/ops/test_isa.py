import os
import subprocess
import sys
from pathlib import Path

import pytest

from deeplab_caffe import ops

SETS = ["portable", "avx2", "avx512"]


@pytest.mark.skipif("DEEPLAB_CAFFE_ISA" in os.environ, reason="an instruction set is forced already")
@pytest.mark.parametrize("isa", SETS)
def test_every_op_has_the_same_bits_with_each_instruction_set(isa):
    """The set is chosen once per process, so the neighbouring tests run again in a process of their own."""
    if SETS.index(isa) >= SETS.index(ops.isa()):
        pytest.skip("tested directly, or not to be had here")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-k", "not emulated", str(Path(__file__).parent)],
        env={**os.environ, "DEEPLAB_CAFFE_ISA": isa},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
