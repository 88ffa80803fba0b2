"""What is done once, again after a stop, and not at all."""

import os
import time

import pytest

from deeplab_caffe.datasets.cityscapes import plan
from deeplab_caffe.datasets.prepare import prepare
from deeplab_caffe.errors import DeepLabError
from tests.datasets.making import numbers, picture, read, save


def test_again_does_only_what_is_missing(cityscapes_root, out):
    steps = []
    done = prepare(plan(cityscapes_root), out, 2, steps.append)
    assert (done.written, done.kept, done.height, done.width) == (3, 0, 12, 16) and steps == [1] * 4
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*TrainIds.png")}
    again = prepare(plan(cityscapes_root), out, 1)
    assert (again.written, again.kept) == (0, 3)
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*TrainIds.png")}
    one = next(iter(times))
    one.unlink()
    assert prepare(plan(cityscapes_root), out, 1).written == 1 and one.exists()


def test_a_changed_source_is_converted_again(cityscapes_root, out):
    prepare(plan(cityscapes_root), out, 1)
    source = cityscapes_root / "gtFine/val/lindau/lindau_000000_000019_gtFine_labelIds.png"
    save(source, numbers(23))
    os.utime(source, (time.time() + 5, time.time() + 5))
    assert prepare(plan(cityscapes_root), out, 1).written == 1
    made = out / "gtFine_labelTrainIds/val/lindau/lindau_000000_000019_gtFine_labelTrainIds.png"
    assert (read(made) == 10).all()


def test_after_an_error_it_goes_on(cityscapes_root, out):
    broken = cityscapes_root / "leftImg8bit/val/lindau/lindau_000000_000019_leftImg8bit.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:10])
    with pytest.raises(DeepLabError, match="lindau_000000_000019_leftImg8bit.png: "):
        prepare(plan(cityscapes_root), out, 1)
    assert not (out / "list").exists()
    broken.write_bytes(whole)
    done = prepare(plan(cityscapes_root), out, 1)
    assert done.written + done.kept == 3 and done.kept > 0 and (out / "list/val.txt").exists()


def test_sizes(cityscapes_root, out):
    picture(cityscapes_root / "leftImg8bit/val/lindau/lindau_000000_000019_leftImg8bit.png", (12, 17))
    with pytest.raises(DeepLabError, match="labelIds.png: 12x16 labels for an image of 12x17, "):
        prepare(plan(cityscapes_root), out, 1)


def test_links(cityscapes_root, out, tmp_path):
    (out / "leftImg8bit").mkdir(parents=True)
    with pytest.raises(DeepLabError, match="out/leftImg8bit: there already, and another folder than"):
        prepare(plan(cityscapes_root), out, 1)
    (out / "leftImg8bit").rmdir()
    os.symlink(tmp_path / "moved", out / "leftImg8bit")
    prepare(plan(cityscapes_root), out, 1)
    assert (out / "leftImg8bit").resolve() == cityscapes_root / "leftImg8bit"
    # The data set's own folder does as well.
    prepare(plan(cityscapes_root), cityscapes_root, 1)
    assert not (cityscapes_root / "leftImg8bit").is_symlink() and (cityscapes_root / "list/val.txt").exists()
