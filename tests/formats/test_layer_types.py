from deeplab_caffe.formats.layer_types import V1_WIRE_NUMBERS


def test_numbers_in_files():
    kinds = ["ChannelAggregator", "IgnoreOverlay", "Histogram", "RelativeError", "GainChannel", "OneHot"]
    assert [V1_WIRE_NUMBERS[kind] for kind in kinds] == [51, 52, 53, 54, 55, 56]
