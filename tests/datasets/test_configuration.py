"""From a prepared folder `run` plans all stages; what the user edited stays."""

import json

import pytest

from deeplab_caffe.commands.run.config import read_config
from deeplab_caffe.commands.run.stages import plan as stages
from deeplab_caffe.datasets import camvid, cityscapes, context
from deeplab_caffe.datasets.configuration import summary, write_configuration, write_palette
from deeplab_caffe.datasets.prepare import prepare
from deeplab_caffe.images.palettes import palette


@pytest.mark.slow
def test_run_takes_it(cityscapes_root, out):
    plan = cityscapes.plan(cityscapes_root)
    done = prepare(plan, out, 1)
    write_palette(plan, out)
    toml = write_configuration(plan, done, out, "resnet101_aspp")
    commands = stages(read_config(toml))
    assert [command.stage for command in commands] == ["train", "test", "crf", "evaluation", "evaluation"]
    train, test, crf, evaluation, _ = (" ".join(command.arguments) for command in commands)
    assert f"--solver {out}/config/resnet101_aspp/solver.prototxt" in train
    assert f"--weights {out}/model/resnet101_aspp/init.caffemodel" in train and "TRAIN_SET=train" in train
    assert f"--weights {out}/model/resnet101_aspp/train_iter_20000.caffemodel --iterations 1" in test
    assert f"-fd {out}/results/resnet101_aspp/test/val/fc1" in crf
    assert f"--palette {out}/palette.txt" in evaluation
    moved = stages(read_config(toml, {"EXP": str(out), "DATA_ROOT": "/elsewhere"}))
    assert "DATA_ROOT=/elsewhere" in moved[0].arguments
    tests_only = write_configuration(plan, done, out, "resnet101_aspp_msc")
    assert [command.stage for command in stages(read_config(tests_only))][0] == "test"


def test_edited_files_stay(camvid_root, out):
    plan = camvid.plan(camvid_root)
    done = prepare(plan, out, 1)
    toml = write_configuration(plan, done, out, "camvid_largefov")
    net = out / "config/camvid_largefov/test.prototxt"
    assert "crop_size: 17" in net.read_text()
    shipped = [path.read_text() for path in (out / "config/camvid_largefov").glob("*.prototxt")]
    assert not [text for text in shipped if ': "prototxt/' in text or "camvid-output" in text]
    for path in (toml, net):
        path.write_text("mine")
    (out / "config/camvid_largefov/solver.prototxt").unlink()
    write_configuration(plan, done, out, "camvid_largefov")
    assert toml.read_text() == net.read_text() == "mine"
    assert (out / "config/camvid_largefov/solver.prototxt").exists()
    assert (out / "model/camvid_largefov/init.caffemodel").stat().st_size > 1_000_000


@pytest.mark.parametrize("classes, first", [(60, "background"), (59, "aeroplane"), (33, "aeroplane")])
def test_palette_and_summary(context_root, out, classes, first):
    plan = context.plan(context_root, context_root, classes)
    done = prepare(plan, out, 1)
    write_palette(plan, out)
    own = palette(str(out / "palette.txt"))
    assert len(own.names) == classes and own.names[0] == first
    colour = palette("voc").colours[0 if first == "background" else 1]
    assert (own.colours[0] == colour).all()
    told = json.loads(json.dumps(summary(plan, done, ["a remark"])))
    assert told["lists"]["val"] == {"images": 1, "expected": 1} and told["remarks"] == ["a remark"]
    assert told["classes"][0]["name"] == first and len(told["classes"]) == classes
    assert told["label_maps"] == {"written": 2, "kept": 0} and told["mean_pixel_bgr"][0] == 104.008
