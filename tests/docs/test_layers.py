import runpy
from pathlib import Path

from deeplab_caffe.layers import known_types
from deeplab_caffe.layers.unsupported import REASONS

ROOT = Path(__file__).parents[2]
PAGE = runpy.run_path(str(ROOT / "docs/layers.py"))


def test_the_page_says_what_the_layers_say():
    told = (ROOT / "docs/layers.md").read_text() == PAGE["page"]()
    assert told, "docs/layers.md is old: .venv/bin/python docs/layers.py writes it"


def test_every_type_of_the_three_dialects_is_registered_or_refused():
    wanted = {*PAGE["BVLC"], *PAGE["DEEPLAB_V1"], *PAGE["DEEPLAB_V2"], *PAGE["FORKS"]}
    assert wanted <= set(known_types()) and len(wanted) > 75
    assert REASONS.keys() <= wanted and PAGE["DIFFERS"].keys() <= wanted - REASONS.keys()
