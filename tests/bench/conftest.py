import pytest

NET = """
name: "tiny" input: "data" input_dim: 1 input_dim: 3 input_dim: 33 input_dim: 41
layer { name: "c1" type: "Convolution" bottom: "data" top: "c1"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 bias_term: false } }
layer { name: "n1" type: "BatchNorm" bottom: "c1" top: "c1" }
layer { name: "s1" type: "Scale" bottom: "c1" top: "c1" scale_param { bias_term: true } }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "p1" type: "Pooling" bottom: "c1" top: "p1" pooling_param { kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "c2" type: "Convolution" bottom: "p1" top: "c2"
  convolution_param { num_output: 8 kernel_size: 3 pad: 4 dilation: 4 } }
layer { name: "e" type: "Eltwise" bottom: "p1" bottom: "c2" top: "e" }
layer { name: "a" type: "Pooling" bottom: "e" top: "a"
  pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "i" type: "Interp" bottom: "a" top: "i" interp_param { zoom_factor: 2 } }
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny" / "net.prototxt"
    path.parent.mkdir()
    path.write_text(NET)
    return path
