import io

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.datum import array_datum
from deeplab_caffe.formats.lmdb_file import writing
from deeplab_caffe.formats.mean_image import write_mean

pytest.importorskip("lmdb")

SHAPE = (3, 5, 7)


def pixels(number, shape=SHAPE):
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def encoded(planes, kind="PNG"):
    """The Datum of an image file, from channels in Caffe's order."""
    channels = planes.transpose(1, 2, 0)
    picture = Image.fromarray(channels[:, :, 0] if channels.shape[2] == 1 else channels[:, :, ::-1])
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return caffe_pb2.Datum(data=buffer.getvalue(), encoded=True, label=9)


@pytest.fixture
def database(tmp_path):
    def write(data, name="db"):
        with writing(str(tmp_path / name)) as records:
            for i, datum in enumerate(data):
                records[f"{i:08d}_x"] = datum.SerializeToString()
        return str(tmp_path / name)

    return write


def text(source, transform="", data="batch_size: 2", tops='top: "data" top: "label"'):
    return f"""layer {{ name: "data" type: "Data" {tops} transform_param {{ {transform} }}
      data_param {{ source: "{source}" backend: LMDB {data} }} }}"""


def naive(planes, mean=None, scale=1.0, top=0, left=0, size=None, mirrored=False):
    """The transformation value by value, from its definition."""
    channels, height, width = planes.shape
    rows, columns = (size, size) if size else (height, width)
    out = np.zeros((channels, rows, columns), np.float32)
    for c in range(channels):
        for y in range(rows):
            for x in range(columns):
                value = np.float32(planes[c, top + y, left + x])
                if mean is not None:
                    value = value - (mean[c, top + y, left + x] if mean.ndim == 3 else mean[c])
                out[c, y, columns - 1 - x if mirrored else x] = value * np.float32(scale)
    return out


def test_records_follow_and_start_again(database, run_layer):
    source = database(array_datum(pixels(i), i + 10) for i in range(3))
    layer = run_layer(text(source))
    for first, second in ((0, 1), (2, 0), (1, 2), (0, 1)):
        data, label = layer()
        assert label.tolist() == [first + 10, second + 10] and data.shape == (2, *SHAPE)
        assert (data[0].numpy() == pixels(first)).all() and (data[1].numpy() == pixels(second)).all()
    layer.layer.seek(1)
    assert layer()[1].tolist() == [12, 10]


def test_float_data_and_one_top(database, run_layer):
    values = pixels(0).astype(np.float32) / 3 - 20
    source = database([array_datum(values, 1)])
    (data,) = run_layer(text(source, "mean_value: 2 scale: 0.3", "batch_size: 1", 'top: "data"'))()
    assert (data[0].numpy() == naive(values, np.full(3, 2, np.float32), 0.3)).all()


@pytest.mark.parametrize("means", [1, 3])
def test_mean_value_scale_and_middle_crop(database, run_layer, means):
    mean = np.asarray([104.008, 116.669, 122.675][:means], np.float32)
    source = database([array_datum(pixels(0))])
    fields = " ".join(f"mean_value: {m}" for m in mean) + " scale: 0.017 crop_size: 4"
    data, _ = run_layer(text(source, fields, "batch_size: 1"))()
    wanted = naive(pixels(0), np.resize(mean, 3), 0.017, top=0, left=1, size=4)
    assert (data[0].numpy() == wanted).all()


def test_mean_file_goes_with_the_crop(database, run_layer, tmp_path):
    mean = pixels(5).astype(np.float32) / 9
    write_mean(tmp_path / "mean.binaryproto", mean)
    source = database([array_datum(pixels(0))])
    fields = f'mean_file: "{tmp_path}/mean.binaryproto" crop_size: 3'
    data, _ = run_layer(text(source, fields, "batch_size: 1"))()
    assert (data[0].numpy() == naive(pixels(0), mean, top=1, left=2, size=3)).all()


def test_older_places_of_the_fields(database, run_layer):
    source = database([array_datum(pixels(0), 4)])
    old = f"""layers {{ name: "data" type: DATA top: "data" top: "label"
      data_param {{ source: "{source}" backend: LMDB batch_size: 1 scale: 0.5 crop_size: 3 }} }}"""
    data, label = run_layer(old)()
    assert (data[0].numpy() == naive(pixels(0), scale=0.5, top=1, left=2, size=3)).all()
    assert label.shape == (1, 1, 1, 1) and label.item() == 4


def test_random_crops_and_mirrors(database, run_layer):
    """Each sample is one of the crops there are, all of them come, and the seed and number decide which."""
    source = database([array_datum(pixels(0, (1, 3, 3)))])
    fields = text(source, "crop_size: 2 mirror: true", "batch_size: 64")
    crops = {
        naive(pixels(0, (1, 3, 3)), top=y, left=x, size=2, mirrored=m).tobytes(): (y, x, m)
        for y in (0, 1)
        for x in (0, 1)
        for m in (False, True)
    }
    layer = run_layer(fields, "train", seed=3)
    batches = [layer()[0].numpy() for _ in range(2)]
    seen = [crops[sample.tobytes()] for batch in batches for sample in batch]
    assert set(seen) == set(crops.values())
    again = run_layer(fields, "train", seed=3)
    again.layer.seek(1)
    assert (again()[0].numpy() == batches[1]).all()
    assert (run_layer(fields, "train", seed=4)()[0].numpy() != batches[0]).any()


def test_processes_share_the_records_out(database, run_layer):
    source = database(array_datum(pixels(i), i) for i in range(7))
    alone = run_layer(text(source), "train", seed=1)
    labels = [alone()[1].tolist() for _ in range(6)]
    for rank in (0, 1):
        peer = run_layer(text(source), "train", seed=1, rank=rank, ranks=2)
        assert [peer()[1].tolist() for _ in range(3)] == labels[rank::2]


def test_rand_skip(database, run_layer):
    source = database(array_datum(pixels(i), i) for i in range(9))
    firsts = {
        run_layer(text(source, data="batch_size: 1 rand_skip: 5"), "train", seed=s)()[1].item()
        for s in range(20)
    }
    assert firsts == {0, 1, 2, 3, 4}
    assert run_layer(text(source, data="batch_size: 1 rand_skip: 5"))()[1].item() == 0


def test_encoded(database, run_layer):
    color, grey = pixels(1), pixels(2, (1, 4, 6))
    source = database([encoded(color), encoded(grey)])
    layer = run_layer(text(source, data="batch_size: 1"))
    data, label = layer()
    assert (data[0].numpy() == color).all() and label.item() == 9
    assert layer.layer.shape([]) == [(1, 1, 4, 6), (1,)]
    assert (layer()[0][0].numpy() == grey).all()
    forced = run_layer(text(source, "force_color: true", "batch_size: 1"))
    forced()
    assert (forced()[0][0].numpy() == np.repeat(grey, 3, 0)).all()
    older = run_layer(text(source, "", "batch_size: 1 force_encoded_color: true"))
    older()
    assert older()[0].shape == (1, 3, 4, 6)
    assert run_layer(text(source, "force_gray: true", "batch_size: 1"))()[0].shape == (1, 1, 5, 7)


def test_a_net_follows_the_sizes(database, tmp_path):
    source = database([array_datum(pixels(0)), array_datum(pixels(1, (3, 2, 2)))])
    (tmp_path / "net.prototxt").write_text(
        text(source, data="batch_size: 1", tops='top: "data"')
        + 'layer { name: "r" type: "ReLU" bottom: "data" top: "out" }'
    )
    net = Net(tmp_path / "net.prototxt")
    assert [tuple(net.forward()["out"].shape) for _ in range(3)] == [(1, *SHAPE), (1, 3, 2, 2), (1, *SHAPE)]


def test_errors(database, run_layer, tmp_path):
    source = database([array_datum(pixels(0)), array_datum(pixels(1, (3, 2, 2)))])

    def refused(match, *arguments, **named):
        with pytest.raises(DeepLabError, match=match):
            run_layer(text(*arguments, **named))()

    refused("layer 'data'.*source: missing", "")
    refused("batch_size: 0 given", source, data="")
    refused("record 1 has shape .* a batch wants one size", source)
    refused("record '00000000_x': 5x7 pixels, fewer than crop_size 6", source, "crop_size: 6")
    refused("mean_value: 2 given for 3 channels", source, "mean_value: 1 mean_value: 2")
    refused("mean_file: given beside mean_value", source, 'mean_value: 1 mean_file: "x"')
    refused("mean_file: .*nothing: No such file", source, f'mean_file: "{tmp_path}/nothing"')
    refused("force_gray: given beside force_color", source, "force_color: true force_gray: true")
    refused("none: no such database", f"{tmp_path}/none")
    broken = database([caffe_pb2.Datum(data=b"no image", encoded=True)], "broken")
    refused("record '00000000_x': not an image", broken)


def test_leveldb_is_refused_with_the_way_out(database, run_layer, tmp_path):
    (tmp_path / "level").mkdir()
    (tmp_path / "level" / "CURRENT").touch()
    leveldb = text(tmp_path / "level").replace("backend: LMDB", "backend: LEVELDB")
    with pytest.raises(DeepLabError, match="LevelDB is not read; make an LMDB of it.*convert_imageset"):
        run_layer(leveldb)
    # What lies there counts, not what the field's default says.
    source = database([array_datum(pixels(0))] * 2)
    assert run_layer(text(source).replace("backend: LMDB", ""))()[0].shape == (2, *SHAPE)
