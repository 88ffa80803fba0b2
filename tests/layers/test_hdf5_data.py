import h5py
import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError


def data_layer(folder, batch, more=""):
    return f"""layer {{ name: "d" type: "HDF5Data" top: "data" top: "label"
      hdf5_data_param {{ source: "{folder}/list.txt" batch_size: {batch} {more} }} }}"""


@pytest.fixture
def folder(tmp_path):
    values = np.arange(30, dtype=np.float32).reshape(5, 3, 1, 2)
    for name, rows in (("x", slice(0, 2)), ("y", slice(2, 5))):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["data"], file["label"] = values[rows], np.arange(5)[rows]
    (tmp_path / "list.txt").write_text(f"{tmp_path}/x.h5\n{tmp_path}/y.h5\n")
    return tmp_path


def test_batches_in_file_order_over_file_ends(folder, run_layer):
    layer = run_layer(data_layer(folder, 3))
    labels = [layer()[1].tolist() for _ in range(3)]
    assert labels == [[0, 1, 2], [3, 4, 0], [1, 2, 3]]
    assert layer()[0].shape == (3, 3, 1, 2)


def test_shuffle_gives_every_row_once(folder, run_layer):
    layer = run_layer(data_layer(folder, 5, "shuffle: true"))
    for _ in range(3):
        assert sorted(layer()[1].tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("more", [pytest.param("", marks=pytest.mark.slow), "shuffle: true"])
def test_seek_and_processes_see_one_stream(folder, run_layer, more):
    def stream(passes, **context):
        layer = run_layer(data_layer(folder, 2, more), **context)
        return [layer()[1].tolist() for _ in range(passes)]

    whole = stream(12, seed=3)
    assert sorted(sum(whole[:5], [])) == sorted([*range(5)] * 2)
    for passes in (0, 1, 4, 7):
        layer = run_layer(data_layer(folder, 2, more), seed=3)
        layer()
        layer.layer.seek(passes)
        assert [layer()[1].tolist() for _ in range(3)] == whole[passes : passes + 3]
    parts = [stream(4, seed=3, rank=rank, ranks=3) for rank in range(3)]
    assert [batch for turn in zip(*parts, strict=True) for batch in turn] == whole
    assert (stream(12, seed=4) == whole) == (not more)


def test_errors(folder, run_layer):
    (folder / "list.txt").write_text(f"{folder}/none.h5\n")
    with pytest.raises(DeepLabError, match="list.txt:1: .*none.h5: No such file"):
        run_layer(data_layer(folder, 1))()
    (folder / "list.txt").write_text(f"{folder}/list.txt\n")
    with pytest.raises(DeepLabError, match="not a whole HDF5 file"):
        run_layer(data_layer(folder, 1))()
    (folder / "list.txt").write_text(f"{folder}/x.h5\n")
    with pytest.raises(DeepLabError, match="no data set 'other'; it has data, label"):
        run_layer(data_layer(folder, 1).replace('"label"', '"other"'))()
    with pytest.raises(DeepLabError, match="1 or more wanted"):
        run_layer(data_layer(folder, 0))


def test_what_caffe_refuses_too(folder, run_layer):
    with pytest.raises(DeepLabError, match="transform_param: this layer transforms nothing"):
        run_layer(
            data_layer(folder, 1).replace("hdf5_data_param", "transform_param { scale: 2 } hdf5_data_param")
        )
    with h5py.File(folder / "words.h5", "w") as file:
        file["data"], file["label"] = [b"a", b"b"], [1, 2]
    (folder / "list.txt").write_text(f"{folder}/words.h5\n")
    with pytest.raises(DeepLabError, match="words.h5: data set 'data' holds .*, numbers wanted"):
        run_layer(data_layer(folder, 1))()
