"""`python -m deeplab_caffe.pydensecrf script.py ...`: a script whose `pydensecrf` is this package."""

import importlib.util
import os
import runpy
import sys
from pathlib import Path

from ..errors import DeepLabError
from . import TOPLEVEL, install

USAGE = """usage: python -m deeplab_caffe.pydensecrf (SCRIPT.py | -m MODULE) [ARGUMENT ...]

Runs a Python script or module in which `import pydensecrf` gives deeplab_caffe.pydensecrf, as in the Python
processes that it starts."""


def main(arguments: list[str]) -> int:
    """Runs the script; 2 where there is none to run."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    is_module = arguments[:1] == ["-m"]
    arguments = arguments[is_module:]
    if not arguments:
        print(USAGE, file=sys.stderr)
        return 2
    if not (_is_there(arguments[0]) if is_module else Path(arguments[0]).exists()):
        print(f"{arguments[0]}: no such {'module' if is_module else 'script'}", file=sys.stderr)
        return 2
    try:
        install()
    except DeepLabError as error:
        print(error, file=sys.stderr)
        return 2
    paths = [str(TOPLEVEL), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.argv = arguments
    if is_module:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        # What `python script.py` has in front.
        sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
        runpy.run_path(arguments[0], run_name="__main__")
    return 0


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it is in
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
