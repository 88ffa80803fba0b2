import numpy as np
import pytest

from deeplab_caffe.pycaffe import io
from tests import fresh


def test_names():
    assert io.np is np
    assert io.caffe_pb2.BlobProto().num == 0
    assert not hasattr(io, "none")


@pytest.mark.slow
def test_names_of_libraries_that_are_missing():
    code = (
        "import sys; sys.modules['skimage'] = sys.modules['skimage.transform'] = None\n"
        "from deeplab_caffe.pycaffe import io; io.resize"
    )
    done = fresh.run("-c", code)
    assert "caffe.io.resize: this needs skimage: pip install 'deeplab_caffe[pycaffe]'" in done.stderr


def test_names_of_libraries():
    pytest.importorskip("scipy")
    assert io.zoom(np.ones((2, 2)), 2).shape == (4, 4)
