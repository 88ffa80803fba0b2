import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.mat import write_mat

INPUT = 'input: "a" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1\n'


def write_layer(folder, more="", source=True):
    source = f'source: "{folder}/ids.txt"' if source else ""
    return f"""{INPUT} layers {{ name: "w" type: MAT_WRITE bottom: "a" bottom: "a"
      mat_write_param {{ prefix: "{folder}/out/fc8_" {source} {more} }} }}"""


def read_layer(folder, more="", tops='top: "x"'):
    return f"""layers {{ name: "r" type: MAT_READ {tops}
      mat_read_param {{ prefix: "{folder}/out/fc8_" source: "{folder}/ids.txt" {more} }} }}"""


@pytest.fixture
def blobs():
    return np.random.default_rng(0).standard_normal((3, 1, 2, 4, 5)).astype(np.float32)


def test_read_gives_what_was_written(tmp_path, run_layer, blobs):
    (tmp_path / "ids.txt").write_text("one\ntwo\nthree\n")
    write = run_layer(write_layer(tmp_path))
    for blob in blobs:
        write(blob, 2 * blob)
    read = run_layer(read_layer(tmp_path, "batch_size: 2", 'top: "x" top: "y"'))
    for first, second in ((0, 1), (2, 0), (1, 2)):
        x, y = read()
        assert (x.numpy() == blobs[[first, second], 0]).all() and (y == 2 * x).all()


def test_errors(tmp_path, run_layer, blobs):
    with pytest.raises(DeepLabError, match="period: 0 given"):
        run_layer(write_layer(tmp_path, "period: 0"))
    with pytest.raises(DeepLabError, match="strip: -1 given"):
        run_layer(write_layer(tmp_path, "strip: -1"))
    with pytest.raises(DeepLabError, match="batch_size: 0 given"):
        run_layer(read_layer(tmp_path, "batch_size: 0"))
    with pytest.raises(DeepLabError, match="ids.txt: No such file"):
        run_layer(read_layer(tmp_path))()
    (tmp_path / "ids.txt").write_text("one\ntwo\n")
    with pytest.raises(DeepLabError, match="fc8_one_blob_0.mat"):
        run_layer(read_layer(tmp_path))()
    (tmp_path / "out").mkdir()
    write_mat(tmp_path / "out" / "fc8_one_blob_0.mat", blobs[0])
    write_mat(tmp_path / "out" / "fc8_two_blob_0.mat", blobs[0][:, :, 1:])
    with pytest.raises(DeepLabError, match="in the same batch"):
        run_layer(read_layer(tmp_path, "batch_size: 2"))()
    write_mat(tmp_path / "out" / "fc8_one_blob_0.mat", blobs[:, 0])
    with pytest.raises(DeepLabError, match="1, C, H, W"):
        run_layer(read_layer(tmp_path))()
