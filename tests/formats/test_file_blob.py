"""Blobs that stay in their file, while the file does."""

import numpy as np
import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.file_blob import FileBlob, OpenFile, in_memory

VALUES = np.arange(6, dtype="<f4")


@pytest.fixture
def blob(tmp_path):
    (tmp_path / "w").write_bytes(b"head" + VALUES.tobytes())
    return FileBlob(OpenFile(tmp_path / "w"), "layer 'a', blob 0", 4, (2, 3))


def test_read(blob):
    assert torch.equal(blob.read(), torch.from_numpy(VALUES).view(2, 3))
    assert torch.equal(blob.reshape((6,)).read(), torch.from_numpy(VALUES))
    assert torch.equal(in_memory(blob), blob.read())
    assert blob.reshape((0, 3)).read().shape == (0, 3)


def test_a_file_that_goes_away_can_still_be_read(blob, tmp_path):
    (tmp_path / "w").unlink()
    assert blob.read()[1, 2] == 5


def test_a_file_that_changes_is_an_error(blob, tmp_path):
    (tmp_path / "w").write_bytes(b"short")
    with pytest.raises(DeepLabError, match="w: layer 'a', blob 0: the file has changed since it was loaded"):
        blob.read()


def test_values_beyond_the_end(blob):
    with pytest.raises(DeepLabError, match="layer 'a', blob 0: cannot be read any more"):
        blob.reshape((7,)).read()


def test_no_file(tmp_path):
    with pytest.raises(DeepLabError, match="none: No such file"):
        OpenFile(tmp_path / "none")
