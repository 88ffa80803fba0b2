import os

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.formats.datum import datum_array, read_datum
from deeplab_caffe.formats.lmdb_file import LmdbReader
from deeplab_caffe.images.resize import resize_image

pytest.importorskip("lmdb")


@pytest.fixture
def images(folder):
    """Pictures a.png and b c.jpg in `photos`, their pixels by name, and a list of them."""
    (folder / "photos").mkdir()
    chance, found = np.random.default_rng(0), {}
    for name in ("a.png", "b c.jpg"):
        Image.fromarray(chance.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(folder / "photos" / name)
        found[name] = np.asarray(Image.open(folder / "photos" / name))
    (folder / "images.txt").write_text("a.png 3\nb c.jpg -1\n")
    return found


def records(path="db"):
    reader = LmdbReader(path)
    found = [reader[n] for n in range(len(reader))]
    return {key: read_datum(record, key) for key, record in found}


def test_pixels_and_labels(program, images):
    ran = program("convert_imageset", "photos/", "images.txt", "db")
    assert ran.code == 0 and ran.messages() == ["A total of 2 images.", "Processed 2 files."]
    found = records()
    assert list(found) == ["00000000_a.png", "00000001_b c.jpg"]
    assert [datum.label for datum in found.values()] == [3, -1]
    for datum, pixels in zip(found.values(), images.values(), strict=True):
        assert not datum.encoded
        assert (datum_array(datum, "") == pixels[:, :, ::-1].transpose(2, 0, 1)).all()


def test_resized_and_grey(program, images):
    words = ("-resize_height", 3, "-resize_width=4", "photos/", "images.txt", "db")
    assert program("convert_imageset", *words, "--check_size").code == 0
    resized = resize_image(images["a.png"], 3, 4)[:, :, ::-1].transpose(2, 0, 1)
    assert (datum_array(records()["00000000_a.png"], "") == resized).all()
    assert program("convert_imageset", "--gray", "photos/", "images.txt", "grey").code == 0
    grey = np.asarray(Image.open("photos/a.png").convert("L"))
    assert (datum_array(records("grey")["00000000_a.png"], "")[0] == grey).all()


def test_encoded(program, images):
    assert program("convert_imageset", "--encoded", "photos/", "images.txt", "db").code == 0
    for datum, name in zip(records().values(), images, strict=True):
        assert datum.encoded and datum.data == open(f"photos/{name}", "rb").read()
    words = ("--encode_type=png", "photos/", "images.txt", "as_png")
    ran = program("convert_imageset", *words)
    assert ran.code == 0 and "encode_type is given: the images stay encoded" in ran.messages()
    data = [datum.data for datum in records("as_png").values()]
    assert all(item.startswith(b"\x89PNG") for item in data) and data[0] == open("photos/a.png", "rb").read()
    assert program("convert_imageset", "--encode_type=doc", "photos/", "images.txt", "doc").code == 134


def test_shuffle(program, images, folder):
    (folder / "images.txt").write_text("".join(f"a.png {i}\n" for i in range(20)))
    for name in ("one", "two"):
        assert program("convert_imageset", "--shuffle", "photos/", "images.txt", name).code == 0
    labels = [[datum.label for datum in records(name).values()] for name in ("one", "two")]
    assert labels[0] == labels[1] != sorted(labels[0]) == list(range(20))


def test_the_data_layer_reads_it(program, images, folder, run_net):
    assert program("convert_imageset", "photos/", "images.txt", "db").code == 0
    result = run_net(
        'layer { name: "d" type: "Data" top: "data" top: "label" '
        'data_param { source: "db" batch_size: 2 backend: LMDB } }'
    )
    for row, pixels in zip(result["data"].numpy(), images.values(), strict=True):
        assert (row == pixels[:, :, ::-1].transpose(2, 0, 1)).all()
    assert result["label"].tolist() == [3, -1]


@pytest.fixture
def run_net(folder):
    def run(text):
        from deeplab_caffe import Net

        (folder / "data.prototxt").write_text(text)
        return Net("data.prototxt").forward()

    return run


def test_errors(program, images, folder):
    with open("images.txt", "a") as file:
        file.write("none.png 4\n")
    ran = program("convert_imageset", "photos/", "images.txt", "db")
    assert ran.code == 0 and len(records()) == 2
    assert ran.messages("E") == ["Could not open or find file photos/none.png: no such image"]
    ran = program("convert_imageset", "photos/", "images.txt", "db")
    assert ran.code == 134 and ran.messages("F") == ["db: exists already"]
    Image.new("RGB", (3, 3)).save("photos/none.png")
    ran = program("convert_imageset", "--check_size", "photos/", "images.txt", "new")
    assert ran.code == 134 and "photos/none.png: size (3, 3, 3), those before have" in ran.messages("F")[0]
    ran = program("convert_imageset", "--backend=leveldb", "photos/", "images.txt", "new")
    assert ran.code == 134 and "LevelDB is not supported" in ran.messages("F")[0]
    (folder / "images.txt").write_text("nothing 1\n")
    assert program("convert_imageset", "photos/", "images.txt", "new").code == 134
    assert not os.path.exists("new")
