import runpy
from pathlib import Path

import pytest

from tests.reference.convolution import reduction_blocks

PAGE = runpy.run_path(str(Path(__file__).parents[2] / "docs/reduction_order.py"))


@pytest.mark.parametrize("depth", [1, 27, 447, 448, 449, 800, 895, 896, 897, 1343, 4608, 20000])
def test_the_blocks_are_those_of_the_kernels(depth):
    ours = PAGE["blocks"](depth)
    assert ours == [end - begin for begin, end in reduction_blocks(depth)] and sum(ours) == depth


def test_the_picture_is_what_the_script_draws():
    assert PAGE["PICTURE"].read_text() == PAGE["picture"]()
