from deeplab_caffe.layers import known_types
from deeplab_caffe.layers.foreign_types import FOREIGN_TYPES


def test_they_are_those_we_lack():
    assert not set(FOREIGN_TYPES) & set(known_types())
    assert all(reason and "\n" not in reason for reason in FOREIGN_TYPES.values())
