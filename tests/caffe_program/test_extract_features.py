import os

import pytest

from deeplab_caffe import Net
from deeplab_caffe.formats.datum import datum_array, read_datum
from deeplab_caffe.formats.lmdb_file import LmdbReader

pytest.importorskip("lmdb")


def test_blobs_of_two_batches(program, trained):
    ran = program("extract_features", trained, "net.prototxt", "conv,label", "one,two", 2, "lmdb", "CPU")
    assert ran.code == 0 and "Extracted features of 6 query images for feature blob conv" in ran.messages("E")
    net, number = Net("net.prototxt", trained), 0
    readers = {"conv": LmdbReader("one"), "label": LmdbReader("two")}
    assert len(readers["conv"]) == len(readers["label"]) == 6
    for _ in range(2):
        found = net.forward(outputs=["conv", "label"])
        for row in range(3):
            for name, reader in readers.items():
                key, record = reader[number]
                assert key == f"{number:010d}"
                assert (datum_array(read_datum(record, key), key) == found[name][row].numpy()).all()
            number += 1


def test_blobs_of_fewer_axes(program, folder, trained):
    with open("net.prototxt", "a") as file:
        file.write(
            'layer { name: "mean" type: "Reduction" bottom: "conv" top: "mean" reduction_param { axis: 1 } }'
        )
    assert program("extract_features", trained, "net.prototxt", "mean", "db", 1, "lmdb").code == 0
    datum = read_datum(LmdbReader("db")[0][1], "")
    assert (datum.channels, datum.height, datum.width) == (1, 1, 1) and len(datum.float_data) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none", "db", 1, "lmdb"), "no blob is named 'none'"),
        (("conv,score", "db", 1, "lmdb"), "2 blobs and 1 databases given"),
        (("conv", "db", 0, "lmdb"), "0: a number of batches wanted"),
        (("conv", "db", 1, "leveldb"), "LevelDB is not supported"),
        (("conv", "logs", 1, "lmdb"), "logs: exists already"),
    ],
)
def test_errors(program, trained, words, message):
    ran = program("extract_features", trained, "net.prototxt", *words)
    assert ran.code == 134 and message in ran.messages("F")[0] and not os.path.exists("db")
