import io

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.datum import array_datum
from deeplab_caffe.formats.lmdb_file import writing
from deeplab_caffe.formats.mean_image import read_mean

pytest.importorskip("lmdb")


def write(values):
    with writing("db") as database:
        for i, datum in enumerate(values):
            database[f"{i:08d}"] = datum.SerializeToString()


def test_the_mean_value_by_value(program):
    arrays = np.random.default_rng(0).integers(0, 256, (7, 3, 4, 5), dtype=np.uint8)
    write(array_datum(array) for array in arrays)
    ran = program("compute_image_mean", "db", "mean.binaryproto")
    assert ran.code == 0 and "Processed 7 files." in ran.messages()
    wanted = np.zeros((3, 4, 5), np.float32)
    for place in np.ndindex(wanted.shape):
        for array in arrays:
            wanted[place] = np.float32(wanted[place] + np.float32(array[place]))
        wanted[place] = np.float32(wanted[place] / np.float32(7))
    assert (read_mean("mean.binaryproto") == wanted).all()
    for channel in range(3):
        total = np.float32(0)
        for value in wanted[channel].ravel():
            total = np.float32(total + value)
        assert f"mean_value channel [{channel}]: {total / np.float32(20):.6g}" in ran.messages()


def test_floats_and_encoded(program):
    values = np.random.default_rng(1).random((1, 2, 3), dtype=np.float32)
    write([array_datum(values), array_datum(3 * values)])
    assert program("compute_image_mean", "--backend=lmdb", "db").code == 0
    assert program("compute_image_mean", "db", "mean").code == 0
    assert (read_mean("mean") == (values + 3 * values) / 2).all()
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (10, 20, 30)).save(buffer, "PNG")
    with writing("encoded") as database:
        database["a"] = caffe_pb2.Datum(data=buffer.getvalue(), encoded=True).SerializeToString()
    assert program("compute_image_mean", "encoded", "mean").code == 0
    assert read_mean("mean")[:, 0, 0].tolist() == [30, 20, 10]


def test_errors(program):
    write([array_datum(np.zeros((1, 2, 3), np.uint8)), array_datum(np.zeros((1, 2, 2), np.uint8))])
    ran = program("compute_image_mean", "db")
    assert ran.code == 134
    assert ran.messages("F") == ["db: record '00000001': size (1, 2, 2), those before have (1, 2, 3)"]
    assert "no such database" in program("compute_image_mean", "none").messages("F")[0]
    assert "LevelDB" in program("compute_image_mean", "--backend=leveldb", "db").messages("F")[0]
