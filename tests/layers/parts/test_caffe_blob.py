import numpy as np
import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parts.caffe_blob import Blob, BlobVec, Memory


def test_views_write_through():
    blob = Blob((2, 3))
    data, diff = blob.data, blob.diff
    assert data.dtype == diff.dtype == np.float32
    data[0] = 5
    blob.diff[...] = np.arange(6, dtype=np.float64).reshape(2, 3)
    assert blob.data_tensor[0].tolist() == [5, 5, 5] and diff[1, 2] == 5
    with pytest.raises(AttributeError):
        blob.data = data


def test_reshape_keeps_memory():
    blob = Blob((4, 3))
    blob.data[...] = 1
    held = blob.data
    blob.reshape(2, 3)
    blob.data[...] = 2
    assert held[:2].tolist() == [[2] * 3] * 2 and held[2:].tolist() == [[1] * 3] * 2
    blob.reshape(4, 3)
    assert np.shares_memory(held, blob.data)
    blob.reshape(5, 3)
    assert not np.shares_memory(held, blob.data) and not blob.data.any()
    blob.reshape()
    assert blob.data.shape == () and blob.count == 1
    with pytest.raises(DeepLabError, match="no size below 0"):
        blob.reshape(2, -1)


def test_legacy_shape():
    blob = Blob((2, 3))
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (2, 3, 1, 1, 6)
    with pytest.raises(DeepLabError, match="5 axes"):
        _ = Blob((1, 2, 3, 4, 5)).num


def test_put():
    x, dx = torch.ones(2, 2), torch.zeros(2, 2)
    blob = Blob()
    blob.put(x, dx)
    blob.data[0, 1] = 7
    blob.diff[1, 0] = 8
    assert x[0, 1] == 7 and dx[1, 0] == 8


def test_add_blob():
    blobs = BlobVec()
    blobs.add_blob(2, 3)
    blobs.add_blob()
    assert [blob.shape for blob in blobs] == [(2, 3), ()] and not blobs[0].data.any()


def test_values_are_where_they_were_asked_for_last():
    device = torch.device("cpu:0")  # memory of its own
    blob = Blob((2,), Memory(device=device), Memory(device=device))
    held = blob.data
    blob.data[...] = 3
    there = blob.data_there
    assert there.tolist() == [3, 3] and there.data_ptr() != blob.data_memory._values.data_ptr()
    there[0] = 4
    assert held.tolist() == [3, 3] and blob.data.tolist() == [4, 3] == held.tolist()
    blob.data[1] = 5
    assert blob.data_there.tolist() == [4, 5] and blob.diff_there.tolist() == [0, 0]
    blob.reshape(3)
    assert blob.data_there.tolist() == [0, 0, 0]
