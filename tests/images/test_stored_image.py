import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.images.image_file import read_image
from deeplab_caffe.images.stored_image import StoredImage, image_at, in_folder, in_shard

SUFFIXES = {".png", ".jpg"}


def png(number):
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue(), pixels


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "shard-000.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in (("a.png", png(0)[0]), ("a.json", b"{}"), ("x/b.PNG", png(1)[0])):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec", reason="needs fsspec")
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def test_shard(shard):
    first, second = in_shard(str(shard), SUFFIXES)
    assert (str(first), second.member) == (f"{shard}/a.png", "x/b.PNG")
    assert (read_image(first) == png(0)[1]).all() and (read_image(second) == png(1)[1]).all()


def test_shard_of_a_store(shard, memory):
    memory.pipe("/bucket/s.tar", shard.read_bytes())
    first, second = in_shard("memory://bucket/s.tar", SUFFIXES)
    assert (read_image(first) == png(0)[1]).all() and (read_image(second) == png(1)[1]).all()


def test_folder_of_a_store(memory):
    for number, name in enumerate(("b.png", "a.png", "notes.md")):
        memory.pipe(f"/bucket/{name}", png(number)[0])
    found = in_folder("memory://bucket", SUFFIXES)
    assert [str(one) for one in found] == ["memory:///bucket/a.png", "memory:///bucket/b.png"]
    assert (read_image(found[1]) == png(0)[1]).all()
    assert (read_image(image_at("memory://bucket/a.png")) == png(1)[1]).all()


def test_broken(shard, tmp_path):
    first, second = in_shard(str(shard), SUFFIXES)
    shard.write_bytes(shard.read_bytes()[: second.offset + 9])
    with pytest.raises(DeepLabError, match=r"shard-000.tar/x/b.PNG: the shard ends in the middle of it"):
        read_image(second)
    packed = tmp_path / "packed.tar"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(shard, "a.png")
    with pytest.raises(DeepLabError, match="packed.tar: not a whole, uncompressed tar file"):
        in_shard(str(packed), SUFFIXES)
    with pytest.raises(DeepLabError, match="broken image|not an image"):
        read_image(StoredImage(first.place, first.member, first.offset, 30))


def test_stores_that_are_not_there(memory):
    for address, said in {
        "memory://nowhere/a.png": "nowhere/a.png",
        "nosuch://bucket/a.png": "nosuch://bucket/a.png: Protocol not known",
    }.items():
        with pytest.raises(DeepLabError, match=said):
            read_image(StoredImage(address))
    with pytest.raises(DeepLabError, match="memory://nowhere"):
        in_folder("memory://nowhere", SUFFIXES)
