"""Variables in prototxt, and the lines on which layers stand."""

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt_text import layer_spans, substitute, variables_of, variables_of_strings


def test_variables():
    text = 'source: "${FOLDER}/list" # ${COMMENT}\nnum: ${N}'
    assert substitute(text, {"FOLDER": 'a"b', "N": 3}, "x") == 'source: "a\\"b/list" # ${COMMENT}\nnum: 3'
    with pytest.raises(DeepLabError, match=r"x: variables without a value: FOLDER \(line 1\), N \(line 2\);"):
        substitute(text, {}, "x")


def test_variables_that_name_files():
    text = "name: \"${NET}-${N}\" # ${COMMENT}\nsource: '${ROOT}/list' num: ${N}"
    assert variables_of(text) == ["NET", "N", "ROOT"]
    assert variables_of_strings(text) == ["NET", "ROOT"]


def test_layers_are_found_by_line():
    text = 'name: "layer {"\nlayer { name: "a"\n  sub { name: "no" } }\n# layer { }\nlayers { name: "b" }'
    spans = layer_spans(text)
    assert [(span.name, span.first_line, span.last_line) for span in spans] == [("a", 2, 3), ("b", 5, 5)]
