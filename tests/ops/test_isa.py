import os
from pathlib import Path

import pytest

from tests import fresh
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


TESTS = Path(__file__).parents[1]
# Beside the neighbours.
FURTHER = [
    "layers/test_eltwise.py::test_the_op_agrees_with_its_reference",
    "crf/test_cpu_ops.py",
    "crf/test_dense_crf.py::test_original_bits",
    *(f"crf/test_dense_crf.py::test_original_bits_large[camvid_full-{threads}]" for threads in (1, 2)),
    "engine/test_reference_nets.py::test_golden",
]


@pytest.mark.slow
@pytest.mark.skipif("DEEPLAB_CAFFE_ISA" in os.environ, reason="an instruction set is forced already")
@pytest.mark.parametrize("isa", SETS[:-1])
def test_the_same_bits_with_each_instruction_set(isa):
    """The set is chosen once per process, so what compares bits runs again in a process of its own."""
    if isa not in lesser_sets():
        pytest.skip("tested directly, or not to be had here")
    left_out = [f"--ignore-glob={TESTS / 'ops' / name}" for name in OTHERS]
    # The twin's cases have a process for each instruction set already.
    words = ["-q", "-x", "-p", "no:cacheprovider", "-k", "not equals_the_twin_bit_for_bit", *left_out]
    paths = [TESTS / name for name in ["ops", *FURTHER]]
    done = fresh.run("-m", "pytest", *words, *paths, env={**os.environ, "DEEPLAB_CAFFE_ISA": isa})
    assert done.returncode == 0, done.stdout[-3000:]
