import pytest

from deeplab_caffe.commands.run.config import read_config
from deeplab_caffe.commands.run.stages import plan
from deeplab_caffe.errors import DeepLabError

CONFIG = """
name = "tiny"
output = "OUT"
threads = 1
[variables]
DATA_ROOT = "OUT"
EXP = "OUT"
NUMBER = 3
[test]
model = "test.prototxt"
weights = "given.caffemodel"
sets = ["val", "more"]
[crf]
bi_w = 4
[evaluation]
palette = "camvid"
trimap = [2]
"""


@pytest.fixture
def config(tmp_path):
    """config(old, new): the file, text replaced, as read_config takes it."""
    (tmp_path / "list").mkdir()
    (tmp_path / "list/val.txt").write_text("a.png a.png\n\nb.png b.png\n")
    (tmp_path / "list/more.txt").write_text("a.png a.png\n")

    def write(old="", new=""):
        path = tmp_path / "run.toml"
        text = CONFIG.replace(old, new) if old else CONFIG
        path.write_text(text.replace("OUT", str(tmp_path)))
        return path

    return write


def test_the_commands_of_each_stage(config, tmp_path):
    commands = plan(read_config(config(), {"NUMBER": "4"}))
    lines = [
        (command.stage, " ".join(command.arguments).replace(str(tmp_path), "OUT")) for command in commands
    ]
    variables = "--set NET_ID=tiny --set DATA_ROOT=OUT --set EXP=OUT --set NUMBER=4"
    tests = [
        f"test --model test.prototxt --weights given.caffemodel --iterations {count} {variables} "
        f"--set TEST_SET={name} --set FEATURE_DIR=OUT/test --device cpu --precision exact --threads 1"
        for name, count in (("val", 2), ("more", 1))
    ]
    given = {name: f"--list OUT/list/{name}.txt --root OUT" for name in ("val", "more")}
    flags = "-i 10 -pw 3 -bw 4 -px 3 -py 3 -bx 50 -by 50 -br 10 -bg 10 -bb 10"
    crfs = [
        f"refine-pascal {images} -fd OUT/test/{name}/fc8 -sd OUT/test/{name}/crf {flags}"
        for name, images in given.items()
    ]
    evaluations = [
        f"eval {images} --predictions OUT/test/{name}/{source} --palette camvid --trimap 2 "
        f"-o OUT/test/{name}/{to}"
        for name, images in given.items()
        for source, to in (("fc8", "evaluation"), ("crf", "evaluation_crf"))
    ]
    expected = [("test", line) for line in tests] + [("crf", line) for line in crfs]
    assert lines == expected + [("evaluation", line) for line in evaluations]
    assert [c.stage for c in plan(read_config(config()), ["crf"])] == ["crf", "crf"]


def test_training_feeds_what_follows(config, tmp_path):
    for name in ("solver", "solver2"):
        text = 'train_net: "net" base_lr: 1 lr_policy: "fixed" max_iter: 7 random_seed: 5 '
        text += f'snapshot_prefix: "{name}_${{TRAIN_SET}}"'
        (tmp_path / f"{name}.prototxt").write_text(text)
    (tmp_path / "net").write_text('name: "${NET_ID}" input: "x" input_shape { dim: 1 }')
    stages = f"""[train]
solver = "{tmp_path}/solver.prototxt"
set = "half"
unfold = "train.prototxt"
weights = "start.caffemodel"
precision = "bf16"
[train2]
solver = "{tmp_path}/solver2.prototxt"
set = "whole"
[test2]
model = "test2.prototxt"
sets = ["val"]
fold = "train2.prototxt"
[test]"""
    path = config("[test]", stages.replace('weights = "given.caffemodel"\n', ""))
    path.write_text(path.read_text().replace('weights = "given.caffemodel"\n', ""))
    commands = plan(read_config(path))
    unfold, train, test, _, train2, fold, test2 = (command.arguments for command in commands[:7])
    assert unfold[:5] == "unfold --model train.prototxt --weights start.caffemodel".split()
    assert unfold[5:9] == ["-o", f"{tmp_path}/train/unfolded.caffemodel", "--seed", "5"]
    given = f"train --solver {tmp_path}/solver.prototxt --snapshot auto --weights {unfold[6]}"
    assert train[:7] == given.split()
    assert "bf16" in train and "TRAIN_SET=half" in train
    assert test[4] == "solver_half_iter_7.caffemodel"
    assert train2[5:7] == ["--weights", "solver_half_iter_7.caffemodel"] and "TRAIN_SET=whole" in train2
    assert fold[:5] == ["fold", "--model", "train2.prototxt", "--weights", "solver2_whole_iter_7.caffemodel"]
    assert test2[4] == fold[6] == f"{tmp_path}/test2/folded.caffemodel"
    features = [c.arguments[6] for c in commands if c.stage == "crf"]
    assert features == [f"{tmp_path}/{name}/fc8" for name in ("test/val", "test/more", "test2/val")]


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("name", "nam", "run.toml: nam: unknown; known: name, output"),
        ('name = "tiny"', "", "run.toml: name: missing"),
        ('name = "tiny"', "name = 3", "run.toml: name: text wanted"),
        ("[crf]", "[cr", "run.toml: "),
        ("bi_w", "bw", r"run.toml: crf.bw: unknown; known: iterations, pos_std"),
        ("bi_w = 4", "bi_w = true", "run.toml: crf.bi_w: a number wanted"),
        ("bi_w = 4", "pos_std = 0", "run.toml: crf.pos_std 0: a number above 0 wanted"),
        ("bi_w = 4", "bi_w = nan", "run.toml: crf.bi_w nan: a finite number wanted"),
        ("[2]", '["2"]', "run.toml: evaluation.trimap: a list of whole numbers wanted"),
        ("[2]", "[]", "run.toml: evaluation.trimap: a list of whole numbers wanted"),
        ('model = "test.prototxt"', "", "run.toml: test.model: missing"),
        ('EXP = "OUT"', "", "run.toml: variables.EXP: missing"),
        ('"val"', '"none"', "none.txt: No such file"),
        ('weights = "given.caffemodel"', "", r"run.toml: test.weights: missing, as is \[train\]"),
        (
            "[test]",
            '[train]\nsolver = "a"\nset = "b"\nunfold = "c"\n[test]',
            "train.weights: missing, as unfold",
        ),
        ("[test]", "crf = 3\n[evaluation2]", "evaluation2: unknown"),
    ],
)
def test_errors(config, old, new, message):
    with pytest.raises(DeepLabError, match=message):
        plan(read_config(config(old, new)))


def test_variables_in_the_file(config):
    text = 'model = "${EXP}/${NET_ID}.prototxt"\nprecision = "${NUMBER}"'
    path = config('model = "test.prototxt"', text)
    read = read_config(path, {"EXP": "given"})
    assert read.stages["test"].model == "given/tiny.prototxt" and read.stages["test"].precision == "3"
    path.write_text(path.read_text().replace('["val", "more"]', '["${PART}"]'))
    with pytest.raises(
        DeepLabError, match=r"run.toml: test.sets: \$\{PART\} has no value; known: NET_ID, DATA"
    ):
        read_config(path)
    path.write_text(path.read_text().replace('output = "', 'output = "${EXP}/out').replace("${PART}", "val"))
    assert read_config(path, {"EXP": "given"}).output.startswith("given/out")


def test_unknown_stages(config):
    with pytest.raises(DeepLabError, match="stage x: unknown; known: train, test"):
        plan(read_config(config()), ["x"])
    with pytest.raises(DeepLabError, match="run.toml: train: no such section"):
        plan(read_config(config()), ["train"])
    with pytest.raises(DeepLabError, match="none.toml: No such file"):
        read_config("none.toml")
