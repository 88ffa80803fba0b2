"""Numbers as they lie in files, and the names wrappers give them."""

import numpy as np
import pytest

from deeplab_caffe.formats.stored import StoredArray, bytes_wanted, decode, without_wrappers


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "int8", "uint8", "int16", "int32", "int64"]
)
def test_decode(dtype):
    values = np.array([[1, 2, 100]], dtype)
    assert bytes_wanted((1, 3), dtype) == values.nbytes
    found = decode(values.astype(values.dtype.newbyteorder("<")).tobytes(), dtype, (1, 3))
    assert found.dtype == np.float32 and (found == values).all()


def test_bfloat16_is_the_upper_half_of_a_float32():
    assert decode(b"\x80\x3f\x20\xc0", "bfloat16", (2,)).tolist() == [1, -2.5]


def test_decode_refuses_another_number_of_bytes():
    with pytest.raises(ValueError):
        decode(bytes(8), "float32", (3,))


def test_wrappers_of_all_names_go():
    def names(*given):
        return list(without_wrappers({name: StoredArray((), lambda: np.zeros(())) for name in given}))

    assert names("module.model.a", "module.model.b") == ["a", "b"]
    assert names("_orig_mod.a") == ["a"]
    assert names("model.a", "b") == ["model.a", "b"]
    assert names() == []
