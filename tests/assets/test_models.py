import os
import subprocess
import sys
from pathlib import Path

import pytest

from deeplab_caffe.assets import asset
from deeplab_caffe.assets.models import default_variables, model_path, nearest, shipped_nets, weights_path
from deeplab_caffe.engine.cost import analyse
from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net

ROOT = Path(__file__).parents[2]


def test_every_net_that_ships_is_listed():
    folder = asset("prototxt")
    names = {path.parent.relative_to(folder).as_posix() for path in folder.rglob("deploy.prototxt")}
    assert sorted(net.name for net in shipped_nets()) == sorted(names) and len(names) == 26


@pytest.mark.parametrize(
    "net",
    # Long texts take a tenth of a second and more to read.
    [pytest.param(n, marks=[pytest.mark.slow] * (n.path.stat().st_size > 50_000)) for n in shipped_nets()],
    ids=lambda net: net.name,
)
def test_what_the_list_says_is_so(net):
    definition = read_net(net.path, net.set)
    cost = analyse(definition)
    (shape,), (scores,) = cost.inputs.values(), cost.outputs.values()
    assert (shape[2:], scores[1], cost.parameters) == (net.input, net.labels, net.parameters)
    assert net.dialect.rstrip("+") == definition.dialect.value
    if "${" in net.path.read_text():
        with pytest.raises(DeepLabError, match="variables without a value"):
            read_net(net.path)


def test_released_weights_are_named():
    released = {(net.name, weights.file): weights for net in shipped_nets() for weights in net.weights}
    assert released["deeplab_v1/largefov", "train2_iter_8000.caffemodel"].labels == 21
    assert all(weights.source == name or "://" in weights.source for (name, _), weights in released.items())
    shipped = asset("weights/camvid_largefov.caffemodel")
    assert released["camvid_largefov", shipped.name].labels == 11


def test_weights_that_ship_are_had_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = asset("weights/camvid_largefov.caffemodel")
    assert weights_path("camvid_largefov") == shipped
    for other in ("deeplab_v1/largefov", "none.caffemodel"):
        assert weights_path(other) == Path(other)
    assert Net("camvid_largefov", "camvid_largefov").report.path == str(shipped)
    (tmp_path / "camvid_largefov").write_text("")
    assert weights_path("camvid_largefov") == Path("camvid_largefov")


def test_variables_of_nets_that_ship_fit_the_released_weights(tmp_path):
    name = "deeplab_v2/vgg16_aspp"
    path = model_path(name)
    assert default_variables(path) == {"NUM_LABELS": "21", "EXP": "voc12"}
    net = Net(name)
    assert net.outputs["fc8_interp"][1] == 21 and "fc8_voc12_1" in net.params
    net = Net(path, variables={"NUM_LABELS": "19"})
    assert net.outputs["fc8_interp"][1] == 19 and "fc8_voc12_1" in net.params
    own = tmp_path / "deploy.prototxt"
    own.write_text(path.read_text())
    assert default_variables(own) == {}
    with pytest.raises(DeepLabError, match="variables without a value: EXP"):
        Net(own)


def test_names_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    largefov = asset("prototxt/deeplab_v1/largefov/deploy.prototxt")
    assert model_path("deeplab_v1/largefov") == largefov
    assert model_path("deeplab_v1/largefov/test") == largefov.with_name("test.prototxt")
    assert Net("camvid_largefov").definition.name == "camvid_largefov"
    (tmp_path / "deeplab_v1" / "largefov").mkdir(parents=True)  # a folder is no prototxt
    assert model_path("deeplab_v1/largefov") == largefov
    file = tmp_path / "camvid_largefov"
    file.write_text("")
    assert model_path("camvid_largefov") == Path("camvid_largefov")  # but a file goes before a name


def test_unknown_names_list_the_nearest():
    wrong = {
        "largefov": "nearest: deeplab_v1/largefov, ",
        "deeplab_v1/largfov": "nearest: deeplab_v1/largefov, ",
        "prototxt/deeplab_v2/vgg16_asp/deploy.prototxt": "nearest: deeplab_v2/vgg16_aspp, ",
        "deeplab_v1/largefov/solver": "see deeplab-caffe models",
        "": "no net of that name",
        "what": "none is near",
    }
    for name, text in wrong.items():
        with pytest.raises(DeepLabError, match=text) as caught:
            model_path(name)
        assert str(caught.value).startswith(f"{name}: no such file"), name
    assert nearest("prototxt/deeplab_v1/largefov/deploy.prototxt")[0] == "deeplab_v1/largefov"


@pytest.mark.slow
def test_an_installed_package_has_them(tmp_path):
    """What setup.py puts into a wheel, without the compiled modules, used from elsewhere."""
    build = "setup.py", "-q", "build_py", "--build-lib", str(tmp_path / "installed")
    subprocess.run([sys.executable, *build], cwd=ROOT, check=True, capture_output=True)
    code = "from deeplab_caffe.commands import main; import sys; sys.exit(main(sys.argv[1:]))"

    def run(*words):
        command, environment = [sys.executable, "-c", code, *words], {"PYTHONPATH": "installed"}
        done = subprocess.run(
            command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert str(tmp_path / "installed" / "deeplab_caffe" / "share" / "prototxt") in run("models")
    assert sum(path.suffix == ".prototxt" for path in (tmp_path / "installed").rglob("*")) == 41
