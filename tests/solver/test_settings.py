import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.solver import read_settings


def error(path, match):
    with pytest.raises(DeepLabError, match=match) as caught:
        read_settings(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_whole_file(write_solver):
    settings = read_settings(
        write_solver(
            test_iter="4",
            test_interval="10",
            type='"Adam"',
            solver_mode="GPU",
            debug_info="true",
        )
    )
    assert settings.train_net.name == "tiny" and len(settings.train_net.layers) == 6
    (phase,) = settings.test_phases
    assert phase.iterations == 4 and [x.name for x in phase.net.layers][-1] == "accuracy"
    assert settings.ignored == ("solver_mode", "debug_info")
    assert (settings.prefix, settings.seed) == ("out/tiny", 5)


def test_the_older_enum_and_variables(write_solver):
    path = write_solver(solver_type="NESTEROV", net='"${FOLDER}/net.prototxt"')
    with pytest.raises(DeepLabError, match="FOLDER"):
        read_settings(path)
    settings = read_settings(path, {"FOLDER": path.parent})
    assert settings.param.type == "Nesterov"


def test_prefix_without_a_name(write_solver, folder):
    assert read_settings(write_solver(snapshot_prefix=None)).prefix == str(folder / "solver")
    (folder / "deep").mkdir()
    assert read_settings(write_solver(snapshot_prefix='"deep"')).prefix == "deep/solver"


def test_a_net_beside_the_solver_file(write_solver, tmp_path_factory, monkeypatch):
    path = write_solver()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert read_settings(path).train_net.name == "tiny"


def test_nets_of_every_field(write_solver, folder):
    inline = (folder / "net.prototxt").read_text()
    path = write_solver(net=None, net_param=f"{{ {inline} }}")
    path.write_text(path.read_text().replace("net_param:", "net_param"))
    assert len(read_settings(path).train_net.layers) == 6
    settings = read_settings(
        write_solver(
            net=None,
            train_net='"net.prototxt"',
            test_net='"net.prototxt"\ntest_net: "net.prototxt"',
            test_iter="1\ntest_iter: 2",
            test_interval="5",
        )
    )
    assert [phase.iterations for phase in settings.test_phases] == [1, 2]


def test_stages_choose_layers(write_solver, folder):
    net = folder / "net.prototxt"
    net.write_text(net.read_text().replace("{ phase: TEST }", '{ phase: TEST stage: "full" }'))
    fields = {"test_iter": "1\ntest_iter: 1", "test_interval": "1"}
    more = 'test_state: { stage: "full" }\ntest_state: { level: 1 }'
    path = write_solver(**fields)
    path.write_text(path.read_text() + more + "\n")
    full, bare = (phase.net for phase in read_settings(path).test_phases)
    assert len(full.layers) == 7 and len(bare.layers) == 5


def test_solvers_that_do_not_run(write_solver):
    wrong = {
        "unknown field 'momentun' in SolverParameter; did you mean 'momentum'": {"momentun": "0.9"},
        "lr_policy: missing": {"lr_policy": None},
        "lr_policy: unknown policy 'steps'; known: fixed, step": {"lr_policy": '"steps"'},
        "gamma: missing; lr_policy step needs it": {"gamma": None},
        "stepvalue: missing; lr_policy multistep needs it": {"lr_policy": '"multistep"'},
        "stepsize: 0 given, 1 or more wanted": {"stepsize": "0"},
        "type: unknown solver 'sgd'; known: SGD": {"type": '"sgd"'},
        "base_lr: missing": {"base_lr": None},
        "base_lr: -1 given": {"base_lr": "-1"},
        "base_lr: nan given": {"base_lr": "nan"},
        "max_iter: missing": {"max_iter": None},
        "momentum: 1 given, 0 <= momentum < 1": {"momentum": "1"},
        "momentum: 0.9 given, but AdaGrad has none": {"type": '"AdaGrad"'},
        "regularization_type: L3 given, L1 or L2 wanted": {"regularization_type": '"L3"'},
        "iter_size: 0 given": {"iter_size": "0"},
        "net: missing, one of net, net_param, train_net": {"net": None},
        "net: net and train_net given": {"train_net": '"net.prototxt"'},
        "net: nothing.prototxt: no such file": {"net": '"nothing.prototxt"'},
        "test_interval: missing": {"test_iter": "3"},
        "test_iter: 0 given": {"test_iter": "0", "test_interval": "1"},
        "test_iter: given 1 times for 2 test nets": {
            "test_net": '"a"\ntest_net: "b"',
            "test_iter": "1",
            "test_interval": "1",
        },
        "given beside the older solver_type": {"type": '"SGD"', "solver_type": "SGD"},
    }
    for message, fields in wrong.items():
        error(write_solver(**fields), message)


def test_files_that_are_none(tmp_path):
    error(tmp_path / "none", "No such file")
    (tmp_path / "binary").write_bytes(b"\0\1")
    error(tmp_path / "binary", "binary file")
