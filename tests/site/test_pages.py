"""What the pages show works: Python blocks run, commands and their options exist, links lead somewhere."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import typer

from deeplab_caffe import Net, Segmenter, read_image
from deeplab_caffe.commands import app, main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
# Pages whose blocks have a test of their own, or are parts of files.
ELSEWHERE = {"CONTRIBUTING.md", "formats.md", "ops.md"}
NOT_RUN = r"<!-- not run: [^>]+ -->"

NET = """name: "tiny"
input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
"""
TRAIN = """name: "tiny"
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 2 dim: 3 dim: 9 dim: 9 } shape { dim: 2 dim: 1 dim: 9 dim: 9 }
    data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "label" top: "loss" }
"""


def blocks(page, language="python"):
    """(text, whether it is to run) of each block of that language."""
    found, kind, text, before = [], None, [], ""
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            if kind is None:
                kind, text = line[3:].strip(), []
                continue
            if kind == language:
                found.append(("\n".join(text) + "\n", not re.fullmatch(NOT_RUN, before)))
            kind, before = None, ""
        elif kind is None:
            before = line
        else:
            text.append(line)
    return found


def tiny_net(folder):
    for name in ("net", "deploy"):
        (folder / f"{name}.prototxt").write_text(NET)
    net = Net(folder / "net.prototxt", keep_blobs=True)
    net.save(folder / "net.caffemodel")
    x = np.ones((1, 3, 9, 9), np.float32)
    net(x)
    (folder / "DUMPS").mkdir()
    np.save(folder / "DUMPS/conv.npy", np.asarray(net.blobs["conv"].data))
    return {"x": x}


def for_python(folder):
    Net("deeplab_v1/largefov").save(folder / "train2_iter_8000.caffemodel")
    (folder / "train.prototxt").write_text(TRAIN)
    return {"blob": torch.zeros(1, 3, 33, 33), "data": None, "label": None}


def for_crf(folder):
    rng = np.random.default_rng(0)
    image, scores = rng.integers(0, 256, (20, 30, 3), np.uint8), rng.random((3, 20, 30), np.float32)
    batch = torch.from_numpy(scores)[None]
    return {
        **{"image": image, "scores": scores, "height": 20, "width": 30, "num_classes": 3, "torch": torch},
        **{
            "energy": np.ascontiguousarray(scores.transpose(1, 2, 0)),
            "images": torch.from_numpy(image)[None],
        },
        **{
            "targets": batch.argmax(1),
            "maps": batch,
            "probabilities": batch.softmax(1),
            "masks": torch.ones(1, 20, 30),
        },
    }


def for_export(folder):
    tiny_net(folder)
    files = ["--model", str(folder / "net.prototxt"), "--weights", str(folder / "net.caffemodel")]
    assert main(["export", *files, "--to", "torch", "-o", str(folder)]) == 0
    return {"image": torch.zeros(1, 3, 9, 9)}


def for_port(folder):
    Net("deeplab_v1/largefov").save(folder / "net.caffemodel")
    shutil.copy(ROOT / "demo/street_cars.jpg", folder / "my.jpg")
    files = ["--model", "camvid_largefov", "--weights", "camvid_largefov"]
    assert main(["export", *files, "--to", "torch", "-o", str(folder)]) == 0
    return {}


def for_validate(folder):
    np.save(folder / "input.npy", np.ones((1, 3, 9, 9), np.float32))
    port = torch.nn.Sequential()
    port.add_module("conv", torch.nn.Conv2d(3, 4, 3, padding=1))
    return {**tiny_net(folder), "np": np, "torch": torch, "net": port}


PREPARED = {
    "crf.md": for_crf,
    "export.md": for_export,
    "port.md": for_port,
    "python.md": for_python,
    "validate.md": for_validate,
}


def labels_are_those_of_predict(names):
    segmenter = Segmenter("camvid_largefov", "camvid_largefov")
    assert (names["labels"].numpy() == segmenter.labels(read_image("my.jpg"))).all()


def the_port_was_dumped(names):
    assert sorted(np.load("port.npz")) == ["conv", "fc8_interp"]


AFTERWARDS = {"port.md": labels_are_those_of_predict, "validate.md": the_port_was_dumped}


@pytest.mark.slow
@pytest.mark.usefixtures("quick_exports")
@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name not in ELSEWHERE and blocks(p)], ids=lambda p: p.name
)
def test_the_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "net", raising=False)  # what `export` wrote for another
    shutil.copytree(ROOT / "demo", tmp_path / "demo")
    names = PREPARED.get(page.name, lambda folder: {})(tmp_path)
    for number, (text, wanted) in enumerate(blocks(page)):
        if wanted:
            exec(compile(text, f"{page.name}, block {number}", "exec"), names)
    AFTERWARDS.get(page.name, lambda names: None)(names)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_exports")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_notebooks_run(path, tmp_path, monkeypatch):
    """Cell by cell, as Jupyter does when the site is built; no cell keeps what an earlier run gave."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "net", raising=False)  # what `export` wrote for another
    names = {}
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            exec(compile("".join(cell["source"]), f"{path.name}, {cell['id']}", "exec"), names)
    if path.stem == "validate":
        assert "RGB for BGR" in names["report"]["diagnosis"]["sentence"]
    if path.stem == "port":
        assert (names["theirs"].argmax(1) != names["ours"].argmax(1)).sum() == 0


def test_there_are_three_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["crf", "port", "validate"]


def commands(page):
    """Every `deeplab-caffe ...` line of the blocks without a language, as words."""
    for text, _ in blocks(page, ""):
        for line in text.replace("\\\n", " ").splitlines():
            found = re.match(r"(?:\w+=\S+ )*(?:\.venv/bin/)?deeplab-caffe (.*)", line.strip())
            if found:
                yield shlex.split(found[1].replace("...", ""), comments=True)


def options_of(command):
    """The names of its options, `--no-...` among them."""
    return {"--help"}.union(*({*parameter.opts, *parameter.secondary_opts} for parameter in command.params))


@pytest.mark.slow
def test_the_commands_and_options_exist():
    seen = 0
    for page in PAGES:
        for words in commands(page):
            command, path = typer.main.get_command(app), []
            while getattr(command, "commands", None) and words and not words[0].startswith("-"):
                path.append(words.pop(0))
                assert path[-1] in command.commands, (page.name, path)
                command = command.commands[path[-1]]
            used = {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
            assert used <= options_of(command), (page.name, path)
            seen += 1
    assert seen > 30


def anchors(page):
    """Those that headings make."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), f"{target} leads nowhere"
        if path.name == "contributing.md":
            path = ROOT / "CONTRIBUTING.md"
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), f"{target}: no such heading"


def test_every_page_is_in_the_menu():
    menu = (ROOT / "mkdocs.yml").read_text()
    pages = [path.name for path in (ROOT / "docs").glob("*.md")] + [f"notebooks/{p.name}" for p in NOTEBOOKS]
    assert not [name for name in pages if name not in menu]


def test_each_result_has_its_recipe():
    """`make bench-NAME` makes benchmarks/results/NAME.json; its words are those of the command line."""
    recipes = dict(re.findall(r"^RECIPE_(\w+) = (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    results = {path.stem for path in (ROOT / "benchmarks/results").glob("*.json")}
    assert recipes.keys() == results
    page = (ROOT / "docs/benchmarks.md").read_text()
    bench = typer.main.get_command(app).commands["bench"].commands
    for name, recipe in recipes.items():
        words = re.sub(r"\$\(.*\)", "", recipe).split()
        assert {word for word in words if word.startswith("-")} <= options_of(bench[words[0]])
        assert f"`bench-{name}`" in page
