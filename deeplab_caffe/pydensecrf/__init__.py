"""The interface of the pydensecrf package: `import deeplab_caffe.pydensecrf.densecrf as dcrf`.

Code that imports `pydensecrf` and cannot be edited: `install()` before it, or
`python -m deeplab_caffe.pydensecrf script.py`.
"""

import importlib
import sys
from pathlib import Path

from ..assets import package_version
from ..errors import DeepLabError

__version__ = package_version()

_NAME = "pydensecrf"
_SUBMODULES = ("densecrf", "eigen", "pairwise", "unary", "utils")
# Holds a module of the top-level name that calls `install`, for processes that this one starts.
TOPLEVEL = Path(__file__).resolve().with_name("top-level")


def install() -> None:
    """From now on `import pydensecrf` gives this package, also where pydensecrf is installed.

    Its submodules likewise, also in processes that multiprocessing starts. Raises DeepLabError if another
    pydensecrf was imported before.
    """
    ours = sys.modules[__name__]
    there = sys.modules.get(_NAME)
    file = getattr(there, "__file__", None)
    if there not in (None, ours) and not (file and Path(file).resolve().parent == TOPLEVEL):
        raise DeepLabError(f"{_NAME} was imported before from {file}: call install() earlier")
    sys.modules[_NAME] = ours
    for name in _SUBMODULES:
        sys.modules[f"{_NAME}.{name}"] = importlib.import_module(f"{__name__}.{name}")
    if str(TOPLEVEL) not in sys.path:
        sys.path.insert(0, str(TOPLEVEL))
