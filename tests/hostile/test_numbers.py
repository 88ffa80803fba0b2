"""Numbers that no option, field or variable of the environment can mean: one line, exit code 2."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from deeplab_caffe import DenseCRF, Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.images import image_file
from deeplab_caffe.threads import MOST_THREADS, most_threads, thread_count
from tests import fresh

HUGE = ["2147483648", "999999999999", "9" * 5000]


@pytest.mark.parametrize("threads", ["0", "-1", "3000", "1000000", *HUGE])
def test_threads(refused, net, tmp_path, threads):
    assert "--threads" in refused("forward", "-m", net, "--threads", threads)
    assert "--threads" in refused("predict", "-m", net, "a.png", "-o", tmp_path / "out", "--threads", threads)
    refused("bench", "net", "--threads", threads)


def test_threads_of_the_library():
    assert 1 <= most_threads() <= MOST_THREADS
    for count in (3000, 2**31, 10**12):
        with pytest.raises(DeepLabError, match=f"threads: {count} given, at most"):
            thread_count(count)
        with pytest.raises(DeepLabError, match=f"threads: {count} given, at most"):
            DenseCRF(2, 2, 2, threads=count).gaussian(3, 1)
        with pytest.raises(DeepLabError, match=f"threads: {count} given, at most"):
            Net("x", threads=count)


COMMANDS = """
import json, sys
from deeplab_caffe.commands import main
sys.exit(min(main(arguments) for arguments in json.loads(sys.argv[1])))
"""


def run(*commands, **environment):
    """The command lines in one process of their own."""
    words = [list(map(str, arguments)) for arguments in commands]
    return fresh.run("-c", COMMANDS, json.dumps(words), env=os.environ | environment)


@pytest.mark.parametrize("threads", ["3000", "1000000", "999999999999", "2,3000"])
def test_threads_of_the_environment(net, threads):
    code = COMMANDS, json.dumps([["forward", "-m", str(net)]])
    done = subprocess.run(  # it ends before torch is loaded
        [sys.executable, "-c", *code],
        env=os.environ | {"OMP_NUM_THREADS": threads},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: OMP_NUM_THREADS: ") and done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("isa", ["nosuch", "AVX2", "avx512"])
def test_instruction_sets_there_are_not(net, tmp_path, isa):
    if isa == "avx512" and "avx512f" in open("/proc/cpuinfo").read():
        pytest.skip("this processor has it")
    image = tmp_path / "a.png"
    image_file.write_image(image, np.zeros((8, 8, 3), np.uint8))
    done = run(
        ("predict", "-m", net, image, "-o", tmp_path / "out"),
        ("crf", "--image", image, "--unary", image, "--map", tmp_path / "b.png"),
        DEEPLAB_CAFFE_ISA=isa,
    )
    assert done.returncode == 2, done.stderr
    predict, crf = done.stderr.splitlines()
    assert predict.startswith(f"error: DEEPLAB_CAFFE_ISA={isa}: ") and crf == predict


@pytest.mark.parametrize("count", ["-1", *HUGE, "nan", "1e3"])
def test_iterations(refused, net, count):
    assert "--iterations" in refused("forward", "-m", net, "--iterations", count)
    assert "--iterations" in refused("test", "-m", net, "--iterations", count)
    assert "--iterations" in refused("crf", "--image", "a.png", "--unary", "a.npy", "--iterations", count)
    assert "-i" in refused("refine-pascal", "-id", "a", "-fd", "b", "-sd", "c", "-i", count)


def test_iterations_of_the_library():
    crf = DenseCRF(2, 2, 2).unary(np.zeros((2, 2, 2), np.float32))
    for count in (-1, 2**31, 10**400):
        with pytest.raises(DeepLabError, match=r"iterations"):
            crf.infer(count)


@pytest.mark.parametrize("value", ["0", "-3", "256", "1000000000", "9" * 5000])
def test_labels(refused, value):
    assert "--labels" in refused("eval", "--list", "a.txt", "--predictions", "b", "--labels", value)


@pytest.mark.parametrize("value", ["0", "-1", "1001", "a\nb", "1" * 5000])
def test_trimap_widths(refused, tmp_path, value):
    line = refused("eval", "--list", "a.txt", "--predictions", tmp_path, "--trimap", value)
    assert "trimap" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("--scales", "nan"),
        ("--scales", "1,inf"),
        ("--scales", "0"),
        ("--scales", "17"),
        ("--scales", ",".join(["1"] * 1000)),
        ("--mean", "nan,1,1"),
        ("--mean", "inf,1,1"),
        ("--pad-to", "²x3"),
        ("--pad-to", "9" * 5000 + "x1"),
        ("--pad-to", "0x1"),
        ("--weight-memory", "1" * 30),
        ("--weight-memory", "-1"),
        ("--level", "99999999999999999999"),
        ("--device", "cuda:99999999999999999999"),
        ("--max-pixels", "0"),
        ("--max-pixels", "9" * 30),
    ],
)
def test_options_of_photos(refused, net, tmp_path, arguments):
    refused("predict", "-m", net, "a.png", "-o", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "-m", "NET", "--size", "9999999999x1"),
        ("inspect", "-m", "NET", "--shape", "data=1x3x²x1"),
        ("inspect", "-m", "NET", "--shape", "data=" + "1" * 5000),
        ("generate", "v2", "--backbone", "vgg16", "--head", "largefov", "-o", "OUT", "--classes", "0"),
        ("generate", "v3", "--backbone", "resnet_v1_50_beta", "-o", "OUT", "--classes", "9" * 50),
        ("unfold", "-m", "NET", "-w", "a", "-o", "OUT", "--seed", str(2**63)),
        ("unfold", "-m", "NET", "-w", "a", "-o", "OUT", "--seed", "-1"),
        ("bench", "conv", "--rounds", "0"),
        ("bench", "net", "--limit", "nan"),
        ("bench", "net", "--sizes", "9" * 5000),
        ("validate", "-m", "NET", "--against", "a", "--tolerance", "nan"),
        ("crf-search", "--list", "a", "--scores", "b", "-o", "OUT", "--bi-w", "nan"),
        (
            "crf-search",
            "--list",
            "a",
            "--scores",
            "b",
            "-o",
            "OUT",
            "--bi-w",
            ",".join(map(str, range(4000))),
        ),
    ],
)
def test_options_of_other_verbs(refused, net, tmp_path, arguments):
    names = {"NET": net, "OUT": tmp_path / "out"}
    refused(*(names.get(argument, argument) for argument in arguments))
    assert not (tmp_path / "out").exists()


CONFIG = 'name = "a"\noutput = "b"\n{}\n[crf]\n{}\n'


@pytest.mark.parametrize(
    "top, crf, reason",
    [
        ("threads = 1000000", "", "threads: 0 to"),
        ("threads = -1", "", "threads: 0 to"),
        ("", "iterations = -1", "crf.iterations -1: 0 or more"),
        ("", "iterations = 2147483648", "at most 2147483647"),
        ("", f"iterations = 1{'0' * 400}", "at most 2147483647"),
        ("", f"pos_w = 1{'0' * 400}", "a finite number"),
        ("", "bi_xy_std = nan", "above 0"),
        ("", f"pos_std = {'9' * 4050}", "above 0"),
    ],
)
def test_toml(refused, tmp_path, top, crf, reason):
    path = tmp_path / "a.toml"
    path.write_text(CONFIG.format(top, crf))
    assert reason in refused("run", path)


FILLED = """input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {{ num_output: 2 kernel_size: 3 weight_filler {{ {} }} }} }}
"""


@pytest.mark.parametrize(
    "filler, reason",
    [
        ('type: "xavier" std: nan', "std: nan"),
        ('type: "gaussian" std: -1', "std: -1"),
        ('type: "gaussian" std: inf', "std: inf"),
        ('type: "gaussian" mean: nan', "mean: nan"),
        ('type: "uniform" min: 2 max: 1', "no range"),
        ('type: "uniform" min: -3e38 max: 3e38', "no range"),
        ('type: "uniform" max: inf', "max: inf"),
        ('type: "nosuch"', "unknown filler"),
    ],
)
def test_fillers(refused, tmp_path, filler, reason):
    path = tmp_path / "net.prototxt"
    path.write_text(FILLED.format(filler))
    np.save(tmp_path / "a.npy", np.zeros((1, 3, 8, 8), np.float32))
    line = refused("forward", "-m", path, "--random-weights", "--input", tmp_path / "a.npy")
    assert "layer 'conv'" in line and reason in line


@pytest.mark.parametrize("seed", [2**63 - 1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2**60, 0))])
def test_any_seed_of_a_solver_trains(tmp_path, seed, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "d" type: "DummyData" top: "d" top: "l" dummy_data_param {'
        " shape { dim: 2 dim: 3 } shape { dim: 2 }"
        ' data_filler { type: "uniform" } data_filler { type: "constant" } } }'
        'layer { name: "drop" type: "Dropout" bottom: "d" top: "d" }'
        'layer { name: "ip" type: "InnerProduct" bottom: "d" top: "ip"'
        ' inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "l" top: "loss" }'
    )
    (tmp_path / "solver.prototxt").write_text(
        f'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 2 random_seed: {seed}'
        ' snapshot_prefix: "out"'
    )
    from deeplab_caffe.commands import main

    assert main(["train", "--solver", "solver.prototxt"]) == 0


@pytest.mark.parametrize(
    "field",
    [
        "max_iter: -1",
        "base_lr: nan",
        "iter_size: 0",
        "stepsize: 2147483648",
        "momentum: inf",
        "weight_decay: -1",
    ]
    + ["random_seed: 9223372036854775808", 'snapshot_prefix: "a\\000b"', 'type: "a\\nb"'],
)
def test_solver_fields(refused, net, tmp_path, field):
    name = field.partition(":")[0]
    fields = {
        "net": f'net: "{net}"',
        "base_lr": "base_lr: 0.1",
        "lr_policy": 'lr_policy: "fixed"',
        "max_iter": "max_iter: 2",
    } | {name: field}
    path = tmp_path / "solver.prototxt"
    path.write_text("\n".join(fields.values()))
    refused("train", "--solver", path)
