import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.mat import read_mat

INPUT = 'input: "a" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1\n'


def write_layer(folder, more="", source=True):
    source = f'source: "{folder}/ids.txt"' if source else ""
    return f"""{INPUT} layers {{ name: "w" type: MAT_WRITE bottom: "a" bottom: "a"
      mat_write_param {{ prefix: "{folder}/out/fc8_" {source} {more} }} }}"""


@pytest.fixture
def blobs():
    return np.random.default_rng(0).standard_normal((3, 1, 2, 4, 5)).astype(np.float32)


def names(folder):
    return sorted(path.name for path in (folder / "out").iterdir())


def test_one_file_a_blob_named_by_the_list(tmp_path, run_layer, blobs):
    (tmp_path / "ids.txt").write_text("one.jpg\ntwo.jpg label\nthree.jpg\n")
    layer = run_layer(write_layer(tmp_path, "strip: 4 period: 2"))
    for blob in blobs:
        assert layer(blob, blob + 1) == []
    assert names(tmp_path) == [f"fc8_{id}_blob_{b}.mat" for id in ("one", "three") for b in (0, 1)]
    assert (read_mat(tmp_path / "out" / "fc8_three_blob_1.mat") == blobs[2] + 1).all()
    layer(blobs[0], blobs[0])  # batch 4 is not written, batch 5 is beyond the list
    with pytest.raises(DeepLabError, match="3 ids, batch 5 came"):
        layer(blobs[0], blobs[0])


def test_without_source(tmp_path, run_layer, blobs):
    layer = run_layer(write_layer(tmp_path, source=False))
    layer(blobs[0], blobs[0])
    assert names(tmp_path) == ["fc8_iter_0_blob_0.mat", "fc8_iter_0_blob_1.mat"]


def test_a_missing_list_is_told_at_once(tmp_path, run_layer):
    text = (
        'layer { name: "w" type: "MatWrite" bottom: "a" mat_write_param { source: "none.txt" prefix: "x" } }'
    )
    with pytest.raises(DeepLabError, match=r"net.prototxt:1: layer 'w' \(MatWrite\): .*source: none.txt"):
        run_layer(text)
    run_layer(text, shapes_only=True)  # whoever only looks at the net needs no list
