import numpy as np
import pytest

from deeplab_caffe.images.voc_palette import voc_palette


def test_voc_colours():
    colours = voc_palette()
    assert colours.shape == (256, 3) and colours.dtype == np.uint8
    assert colours[[0, 1, 2, 3, 8, 15, 20, 255]].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [64, 0, 0],
        [192, 128, 128],
        [0, 64, 128],
        [224, 224, 192],
    ]
    assert len(np.unique(colours, axis=0)) == 256
    assert (voc_palette(21) == colours[:21]).all()
    with pytest.raises(ValueError, match="257"):
        voc_palette(257)
