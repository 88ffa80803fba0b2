"""_C.pyi says what _C has."""

import ast
import inspect
import re
from pathlib import Path

import deeplab_caffe
from deeplab_caffe import _C

STUB = ast.parse((Path(deeplab_caffe.__file__).parent / "_C.pyi").read_text())


def names_of(body):
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield node.targets[0].id


def public(thing):
    return {name for name in vars(thing) if not name.startswith("_")}


def test_every_name_is_in_the_stub_and_no_other():
    assert public(_C) == set(names_of(STUB.body)) - {"Address"}


def test_classes_have_the_members_that_the_stub_says():
    for node in STUB.body:
        if isinstance(node, ast.ClassDef) and node.name != "EpilogueKind":
            said = {name for name in names_of(node.body) if not name.startswith("_")}
            assert said == public(getattr(_C, node.name)) - {"name", "value"}, node.name


def test_functions_take_as_many_arguments():
    for node in STUB.body:
        if isinstance(node, ast.FunctionDef):
            signature = inspect.getdoc(getattr(_C, node.name)).split("\n")[0]
            assert len(re.findall(r"\barg\d+:", signature)) == len(node.args.args), node.name
