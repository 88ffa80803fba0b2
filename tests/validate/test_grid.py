import numpy as np
import pytest

from deeplab_caffe.validate.grid import LARGEST, Grid, corner_of_cells, largest_of_cells


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_an_array_comes_back(dtype):
    values = (np.arange(35) - 7).astype(dtype).reshape(5, 7)
    grid = Grid.of(values[:, ::-1])
    assert (grid.rows, grid.columns, grid.step, grid.dtype) == (5, 7, 1, dtype)
    assert np.array_equal(grid.array(), values[:, ::-1])


def test_a_large_plane_keeps_its_largest_values():
    plane = np.zeros((513, 300), np.uint8)
    plane[512, 299], plane[7, 11] = 9, 4
    grid = largest_of_cells(plane)
    assert grid.step == 5 and (grid.rows, grid.columns) == (103, 60)
    assert grid.array()[102, 59] == 9 and grid.array()[1, 2] == 4
    assert grid.array().sum() == 13
    assert max(grid.rows, grid.columns) <= LARGEST


def test_labels_are_sampled():
    plane = np.arange(200 * 4).reshape(200, 4) % 251
    grid = corner_of_cells(plane)
    assert np.array_equal(grid.array(), plane[::2, ::2])
