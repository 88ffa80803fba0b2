import os
import sys

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.lmdb_file import LmdbReader, writing

lmdb = pytest.importorskip("lmdb")


def write(path, count=5, size=10):
    with writing(str(path)) as records:
        for i in range(count):
            records[f"{i:08d}"] = bytes([i % 251]) * size
    return str(path)


def test_records_in_key_order_over_and_over(tmp_path):
    with writing(str(tmp_path / "db")) as records:
        for key in ("b", "c", "a"):
            records[key] = key.encode() * 2
    reader = LmdbReader(str(tmp_path / "db"))
    assert len(reader) == 3
    assert [reader[n] for n in (0, 1, 2, 3, 5, 4, 4)] == [
        (key, key.encode() * 2) for key in ("a", "b", "c", "a", "c", "b", "b")
    ]
    assert sorted(os.listdir(tmp_path)) == ["db"] and os.listdir(tmp_path / "db") == ["data.mdb"]


def test_several_readers_of_one_database(tmp_path):
    path = write(tmp_path / "db")
    one, two = LmdbReader(path), LmdbReader(path)
    assert one[3] == two[3] and one[1] == two[1]
    del one
    assert two[0][0] == "00000000"


def test_what_lmdb_itself_writes_and_reads(tmp_path):
    with lmdb.open(str(tmp_path / "theirs")) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"key", b"value")
    assert LmdbReader(str(tmp_path / "theirs"))[0] == ("key", b"value")
    with (
        lmdb.open(write(tmp_path / "ours"), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        assert transaction.get(b"00000002") == b"\2" * 10


def test_the_map_grows(tmp_path):
    path = write(tmp_path / "db", 2100, 20_000)
    reader = LmdbReader(path)
    assert len(reader) == 2100 and reader[2099][1] == bytes([2099 % 251]) * 20_000


def test_errors(tmp_path):
    path = write(tmp_path / "db")
    with pytest.raises(DeepLabError, match="db: exists already"):
        write(path)
    with pytest.raises(DeepLabError, match="no such database"):
        LmdbReader(str(tmp_path / "none"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(DeepLabError, match="not an LMDB: no data.mdb"):
        LmdbReader(str(tmp_path / "folder"))
    (tmp_path / "folder" / "CURRENT").touch()
    with pytest.raises(DeepLabError, match="a LevelDB, not an LMDB"):
        LmdbReader(str(tmp_path / "folder"))
    (tmp_path / "folder" / "data.mdb").write_bytes(b"x" * 9000)
    with pytest.raises(DeepLabError, match="cannot be read"):
        LmdbReader(str(tmp_path / "folder"))
    with pytest.raises(DeepLabError, match="the database is empty"):
        LmdbReader(write(tmp_path / "empty", 0))


def test_nothing_is_left_of_one_that_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(str(tmp_path / "db")) as records:
        records["a"] = b"b"
        records["c"] = bytes(1 // 0)
    assert not os.listdir(tmp_path)


def test_without_the_package(tmp_path, monkeypatch):
    path = write(tmp_path / "db")
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(DeepLabError, match=r"needs lmdb: pip install 'deeplab_caffe\[lmdb\]'"):
        LmdbReader(path)
