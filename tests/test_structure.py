"""The rooms of the package, read from its sources: who imports whom, and what stays unloaded."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "deeplab_caffe"

# Floors, lowest first. A room, which is a folder or a loose module, imports rooms of the floors below only.
FLOORS = [
    {"deprecation", "errors", "threads", "types"},
    {"assets", "formats"},
    {"images", "ops"},
    {"evaluation", "generate"},
    {"crf", "autograd"},
    {"layers", "pydensecrf", "crf_modules"},
    {"engine"},
    {"segmenter", "solver", "convert"},
    {"bench"},
    {"commands"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MOST_FLOORS = 10
MOST_LOOSE_MODULES = 8

NATIVE = {"_C", "_cuda", "_cuda_emulated"}
# `version` tells what the kernels were built for without loading torch, which ops needs.
NATIVE_IMPORTERS = ("ops.", "crf.", "commands.version")

# Imports that break a rule and are about to go.
LEFT = {
    ("autograd.convolution", "layers.convolution"),
    ("autograd.layer", "layers"),
    ("autograd.softmax_loss", "layers.softmax_with_loss"),
}


def module_name(path):
    """engine/net.py: "engine.net"; engine/__init__.py: "engine"; the package's own: ""."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported_names(module):
    """Every name the module imports, wherever the import stands; those of the package without its name."""
    path = MODULES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = [part for part in start if part] + ([node.module] if node.module else [])
            yield from (".".join([*base, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Constant) and re.fullmatch(rf"{PACKAGE.name}(\.\w+)+", str(node.value)):
            yield node.value.removeprefix(f"{PACKAGE.name}.")  # what import_module is given


@cache
def graph():
    """The modules that each module imports: of a name in a module, the module; others as the first part."""
    found = {}
    for module in MODULES:
        found[module] = set()
        for name in imported_names(module):
            holder = name if name in MODULES else name.rpartition(".")[0]
            target = holder if holder and holder in MODULES else name.split(".")[0]
            if target != module and (module, target) not in LEFT:
                found[module].add(target)
    return found


def room(module):
    return module.split(".")[0]


def circle_of(edges):
    """The first circle found, as a path; None where there is none."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return None
        path.append(node)
        for following in sorted(edges.get(node, ())):
            if found := visit(following):
                return found
        done.add(path.pop())
        return None

    return next(filter(None, map(visit, edges)), None)


def test_no_import_circle():
    assert circle_of({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_of(graph()) is None


def test_rooms_import_those_below():
    assert {room(module) for module in MODULES} == {*FLOOR, ""}
    wrong = [
        f"{module} imports {target}"
        for module, targets in graph().items()
        for target in targets
        if module and target in MODULES and room(module) != room(target)
        if not (target and FLOOR[room(target)] < FLOOR[room(module)])
    ]
    assert not wrong


def test_at_most_ten_floors():
    rooms = {name: set() for name in FLOOR}
    for module, targets in graph().items():
        if module:
            rooms[room(module)] |= {room(target) for target in targets} & FLOOR.keys() - {room(module)}
    assert circle_of(rooms) is None

    def floor(name):
        return 1 + max(map(floor, rooms[name]), default=0)

    assert max(map(floor, rooms)) <= MOST_FLOORS


def test_few_loose_modules():
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_LOOSE_MODULES


def test_no_layer_imports_the_engine():
    assert not [m for m in MODULES if room(m) == "layers" and "engine" in map(room, graph()[m])]


def test_one_module_draws():
    assert [module for module in MODULES if "matplotlib" in graph()[module]] == ["evaluation.charts"]


def test_native_modules_are_behind_ops_and_crf():
    importers = [module for module in MODULES if graph()[module] & NATIVE]
    assert importers
    assert not [module for module in importers if not module.startswith(NATIVE_IMPORTERS)]


CRF_ON_ARRAYS = """
import numpy
from deeplab_caffe import DenseCRF
crf = DenseCRF(3, 4, 2, threads=1)
crf.unary(numpy.zeros((3, 4, 2), "float32")).gaussian(3, 1)
crf.bilateral(numpy.zeros((3, 4, 3), "uint8"), 5, 3, 2).infer(2)
"""
COMMAND = "from deeplab_caffe.commands import main; main({})"


@pytest.mark.parametrize(
    "code",
    [COMMAND.format(["--help"]), COMMAND.format(["version"]), CRF_ON_ARRAYS],
    ids=["help", "version", "crf"],
)
def test_runs_without_torch(code):
    code += "\nimport sys; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
