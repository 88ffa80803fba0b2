"""The rooms of the package, read from its sources: who imports whom, and what stays unloaded."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import LONG

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "deeplab_caffe"

# Floors, lowest first. A room, which is a folder or a loose module, imports rooms of the floors below only.
FLOORS = [
    {"deprecation", "errors", "types"},
    {"assets", "formats", "stand_in", "threads"},
    {"images", "ops", "cluster"},
    {"evaluation", "generate"},
    {"crf", "autograd"},
    {"layers", "pydensecrf", "crf_modules", "kernels", "datasets"},
    {"engine", "netgraph"},
    {"segmenter", "solver", "convert", "export", "validate"},
    {"bench", "caffe_program", "pycaffe"},
    {"commands"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MOST_FLOORS = 10
MOST_LOOSE_MODULES = 8

NATIVE = {"_C", "_cuda", "_cuda_emulated"}
# `version` tells what the kernels were built for without loading torch, which ops needs.
NATIVE_IMPORTERS = ("ops.", "crf.", "commands.version")

# Modules without a test file of their name, and what tests them instead.
TESTED_BY = {
    # Types, and names that stay for a while.
    "types": "test_init.py",
    "crf_modules": "crf/test_modules.py",
    "layers.abilities": "engine/test_net.py",
    "layers.context": "layers/test_base.py",
    "formats.records": "formats/test_caffemodel.py",
    "formats.mat_elements": "formats/test_mat.py",
    "images.class_names": "images/test_palettes.py",
    # The command line, in processes of its own.
    "__main__": "test_errors.py",
    # What they write is committed and compared, layer by layer.
    "generate.deeplab_v2": "prototxt/test_deeplab_v2.py",
    "generate.deeplab_v3": "prototxt/test_deeplab_v3.py",
    "generate.mobilenet_v2": "prototxt/test_deeplab_v3.py",
    "generate.mobilenet_v3": "prototxt/test_torch_deeplab.py",
    "generate.resnet": "prototxt/test_deeplab_v2.py",
    "generate.resnet_beta": "prototxt/test_deeplab_v3.py",
    "generate.slim": "prototxt/test_deeplab_v3.py",
    "generate.torch_deeplab": "prototxt/test_torch_deeplab.py",
    "generate.torch_resnet": "prototxt/test_torch_deeplab.py",
    "generate.torch_units": "prototxt/test_torch_deeplab.py",
    "generate.vgg16": "prototxt/test_deeplab_v2.py",
    "generate.xception": "prototxt/test_deeplab_v3.py",
    # Reports and peers of the benchmarks, with the benchmark itself.
    "bench.conv_report": "bench/test_conv.py",
    "bench.crf_gpu": "bench/test_crf.py",
    "bench.crf_gpu_report": "bench/test_crf.py",
    "bench.crf_peer": "bench/test_crf.py",
    "bench.crf_report": "bench/test_crf.py",
    "bench.measure_device": "bench/test_net_gpu.py",
    "bench.net_gpu_report": "bench/test_net_gpu.py",
    "bench.net_report": "bench/test_net.py",
    "bench.tables": "bench/test_net.py",
    "bench.torch_operators": "bench/test_torch_net.py",
    # Parts of Caffe's programs, with what uses them.
    "caffe_program.caffe": "caffe_program/test_programs.py",
    "caffe_program.databases": "caffe_program/test_convert_imageset.py",
    "caffe_program.made_net": "caffe_program/test_test.py",
    "caffe_program.net_lines": "caffe_program/test_train.py",
    "caffe_program.scores": "caffe_program/test_test.py",
    "caffe_program.upgrade_net_proto_binary": "caffe_program/test_upgrading.py",
    "caffe_program.upgrade_net_proto_text": "caffe_program/test_upgrading.py",
    "caffe_program.upgrade_solver_proto_text": "caffe_program/test_upgrading.py",
    # Parts of an export, with what uses them.
    "engine.folding": "convert/test_fold.py",
    "export.builder": "export/test_operators.py",
    "export.classes": "export/test_operators.py",
    "export.export": "commands/test_export.py",
    "export.fresh": "export/test_check.py",
    "export.helpers": "export/test_operators.py",
    "export.nodes": "export/test_blocks.py",
    "export.targets": "commands/test_export.py",
    "export.weighted": "export/test_operators.py",
    # Parts of a net, of a CRF, of an op or a verb, by what they are parts of.
    "autograd.convolution": "autograd/test_layer.py",
    "cluster.terms": "cluster/test_pool.py",
    "cluster.worker": "cluster/test_pool.py",
    "commands.bench_roofline": "bench/test_roofline.py",
    "commands.crf_options": "commands/test_crf.py",
    "commands.inputs": "commands/test_predict.py",
    "commands.segmenter_options": "commands/test_predict.py",
    "segmenter.photo_files": "commands/test_predict.py",
    "commands.several": "commands/test_predict.py",
    "commands.unfold": "convert/test_unfold.py",
    "commands.run.config": "commands/run/test_stages.py",
    "datasets.folders": "datasets/test_voc.py",
    "datasets.plan": "datasets/test_voc.py",
    "generate.trained_text": "prototxt/test_deeplab_v2.py",
    "crf.arrays": "crf/test_dense_crf.py",
    "crf.filter_autograd": "crf/test_autograd.py",
    "crf.gpu_backend": "crf/test_dense_crf_device.py",
    "crf.gpu_lattice": "crf/test_gpu_ops.py",
    "crf.gpu_memory": "crf/test_gpu_ops.py",
    "crf.model_energy": "crf/test_dense_crf.py",
    "crf.pairwise": "crf/test_dense_crf.py",
    "crf.search": "commands/test_crf_search.py",
    "engine.context": "engine/test_net.py",
    "engine.cuda_graph": "engine/test_net_gpu.py",
    "engine.dag": "engine/test_net.py",
    "engine.execution": "engine/test_net.py",
    "engine.inputs": "engine/test_net.py",
    "engine.parameters": "engine/test_net.py",
    "engine.plans": "engine/test_net.py",
    "engine.read_model": "assets/test_models.py",
    "engine.passes.branches": "engine/test_net.py",
    "engine.passes.depth_first": "engine/test_net.py",
    "engine.passes.needed": "engine/test_net.py",
    "engine.schedule": "engine/test_net.py",
    "engine.steps": "bench/test_roofline.py",
    "convert.folder": "convert/test_convert.py",
    "convert.tflite.net": "convert/tflite/test_convert.py",
    "convert.tflite.operators": "convert/tflite/test_convert.py",
    "convert.tflite.windows": "convert/tflite/test_convert.py",
    "kernels.arguments": "kernels/test_atrous.py",
    "kernels.atrous_ops": "kernels/test_atrous.py",
    "kernels.filter_ops": "kernels/test_filters.py",
    "kernels.folding": "kernels/test_atrous.py",
    "layers.parts.any_convolution": "layers/test_convolution.py",
    "layers.parts.any_fields": "layers/test_convolution.py",
    "layers.parts.convolution_fields": "layers/test_convolution.py",
    "layers.parts.permission": "layers/test_python.py",
    "layers.parts.image_list_data": "layers/test_image_data.py",
    "layers.parts.transform": "layers/test_data.py",
    "validate.comparing": "validate/test_validation.py",
    "validate.diagnosis.arrays": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.batch_norm": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.case": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.colours": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.crf": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.exact": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.geometry": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.hypotheses": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.layers": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.rounding": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.running": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.sizes": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.trying": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.variant": "validate/diagnosis/test_diagnose.py",
    "validate.diagnosis.weights": "validate/diagnosis/test_diagnose.py",
    "validate.environment": "validate/test_validation.py",
    "validate.headline": "validate/test_validation.py",
    "validate.live": "validate/test_validation.py",
    "validate.pairing": "validate/test_validation.py",
    "validate.passes": "validate/test_validation.py",
    "validate.request": "validate/test_validation.py",
    "validate.theirs": "validate/test_files.py",
    "ops.eltwise": "ops/test_device_ops.py",
    "ops.geometry": "ops/test_convolution.py",
    "ops.peak": "bench/test_conv.py",
    "pycaffe.__main__": "pycaffe/test_install.py",
    "pycaffe._caffe": "pycaffe/test_mode.py",
    "pycaffe.assembly": "pycaffe/test_net.py",
    "pycaffe.layer_run": "pycaffe/test_net.py",
    "pycaffe.parameter_blob": "pycaffe/test_net.py",
    "pycaffe.pycaffe": "pycaffe/test_install.py",
    "pycaffe.raw_net": "pycaffe/test_net.py",
    "pycaffe.solver_log": "pycaffe/test_solver.py",
    "pycaffe.image_net": "pycaffe/test_classifier.py",
    "pycaffe.proto": "pycaffe/test_install.py",
    "pycaffe.top-level.caffe": "pycaffe/test_install.py",
    "pydensecrf.__main__": "pydensecrf/test_install.py",
    "pydensecrf.densecrf": "pydensecrf/test_pydensecrf.py",
    "pydensecrf.eigen": "pydensecrf/test_pydensecrf.py",
    "pydensecrf.pairwise": "pydensecrf/test_pydensecrf.py",
    "pydensecrf.top-level.pydensecrf": "pydensecrf/test_install.py",
    "pydensecrf.unary": "pydensecrf/test_pydensecrf.py",
    "pydensecrf.utils": "pydensecrf/test_pydensecrf.py",
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
        elif isinstance(node, ast.Constant) and str(node.value).startswith(f"{PACKAGE.name}."):
            if re.fullmatch(r"\w+(\.\w+)+", node.value):
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
            if target != module:
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

    # `__main__` is the door to the command line, not a room above it.
    assert max(map(floor, rooms.keys() - {"__main__"})) <= MOST_FLOORS


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
    [COMMAND.format(["version"]), CRF_ON_ARRAYS],  # --help: test_starts_quickly
    ids=["version", "crf"],
)
def test_runs_without_torch(code):
    code += "\nimport sys; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# They take time to load.
HEAVY = {"torch", "numpy", "PIL", "google.protobuf", "jinja2", "pydantic", "matplotlib", "onnx"}


@pytest.mark.parametrize(
    "code, heavy",
    [("import deeplab_caffe", HEAVY | {"typer", "rich"}), (COMMAND.format(["--help"]), HEAVY)],
    ids=["import", "help"],
)
def test_starts_quickly(code, heavy):
    """Told by what is loaded, for times depend on the machine."""
    code += f"\nimport sys; sys.exit(', '.join({heavy!r} & sys.modules.keys()) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_nets_without_image_files_load_only_what_they_need():
    """Pillow and numpy's random numbers take 5 MB; torch 2.13 loads neither."""
    code = """
import sys, torch
before = set(sys.modules)
from deeplab_caffe import Net
Net("camvid_largefov")
sys.exit(", ".join({"PIL", "numpy.random"} & (sys.modules.keys() - before)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_long_test_files_are_there():
    assert [name for name in LONG if not (TESTS / name).is_file()] == []


def test_every_module_has_its_tests():
    """At the same path below tests/, or where TESTED_BY says."""
    wrong = []
    for module, path in MODULES.items():
        if path.name in ("__init__.py", "caffe_pb2.py"):
            continue
        mirrored = path.relative_to(PACKAGE).with_name(f"test_{path.name}")
        there = (TESTS / mirrored).exists()
        if there == (module in TESTED_BY) or not (there or (TESTS / TESTED_BY[module]).exists()):
            wrong.append(module)
    assert not wrong, "each wants a test file of its name or an entry in TESTED_BY, not both"
