import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

PAGE = Path(__file__).parents[2] / "docs/argument_lists.py"


@pytest.fixture
def listed(monkeypatch):
    kinds = dict.fromkeys(("Extension", "Function", "Class", "Object", "Alias"), object)
    monkeypatch.setitem(sys.modules, "griffe", SimpleNamespace(**kinds))  # only the site's build has it
    return runpy.run_path(str(PAGE))["listed"]


def test_arguments_in_one_paragraph_become_a_list(listed):
    text = """Runs.

    size: rows and
    columns. rate, padding: one number, or two; note: of them. Not size: it stays. Then device: "cpu".

    Raises ValueError: size of 0."""
    assert listed(text, ["size", "rate", "padding", "device"]) == (
        "Runs.\n\n- **size**: rows and columns.\n"
        '- **rate, padding**: one number, or two; note: of them. Not size: it stays. Then device: "cpu".\n\n'
        "    Raises ValueError: size of 0."
    )


def test_text_before_the_arguments_stays(listed):
    assert listed("Sums. a: one; b: two.", ["a", "b"]) == "Sums.\n\n- **a**: one\n- **b**: two."


def test_a_sentence_about_one_argument_stays(listed):
    assert (
        listed("Another; options: those that differ.", ["options"]) == "Another; options: those that differ."
    )
    assert listed("a: one.", []) == "a: one."
