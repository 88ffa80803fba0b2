import pytest

from deeplab_caffe.formats.near_names import near_name


@pytest.mark.parametrize(
    ("name", "known", "wanted"),
    [
        ("num_outputs", ["num_output", "pad"], "num_output"),
        ("kernal_size", ["kernel_size", "kernel_h"], "kernel_size"),
        ("pooling_parm", ["pooling_param"], "pooling_param"),
        ("convolutoin_param", ["convolution_param", "mvn_param"], "convolution_param"),
        ("bnx_param", ["mvn_param", "bn_param"], ""),  # too short to tell
        ("roi_pool_param", ["pooling_param"], ""),
        ("detection_output_param", ["convolution_param"], ""),
    ],
)
def test_only_what_is_near(name, known, wanted):
    assert near_name(name, known) == wanted
