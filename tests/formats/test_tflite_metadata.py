import struct

import pytest

from deeplab_caffe.formats.tflite_metadata import Normalization, read_normalization

pytest.importorskip("tflite")

from tests.convert.tflite.write_tflite import normalization


def test_the_first_inputs_normalisation():
    data = normalization([127.5], [64, 32, 16])
    assert read_normalization(data) == Normalization((127.5,), (64, 32, 16))


def test_damaged_metadata():
    """Cut off: what the reader of TFLite files takes for damage, never other numbers."""
    data = normalization([1], [2])
    cut = 0
    for size in range(len(data)):
        try:
            assert read_normalization(data[:size]) in (None, Normalization((1,), (2,)))
        except (struct.error, IndexError, ValueError, TypeError):
            cut += 1
    assert cut > len(data) // 2
