"""The interface of the pydensecrf package: `import deeplab_caffe.pydensecrf.densecrf as dcrf`.

Code that imports `pydensecrf` and cannot be edited: `install()` before it, or
`python -m deeplab_caffe.pydensecrf script.py`.
"""

from pathlib import Path

from ..assets import package_version
from ..stand_in import StandIn

__version__ = package_version()

_SUBMODULES = ("densecrf", "eigen", "pairwise", "unary", "utils")
STAND_IN = StandIn("pydensecrf", __name__, Path(__file__).resolve().with_name("top-level"))


def install() -> None:
    """From now on `import pydensecrf` gives this package, also where pydensecrf is installed.

    Its submodules likewise, also in processes that multiprocessing starts. Raises DeepLabError if another
    pydensecrf was imported before.
    """
    STAND_IN.install(_SUBMODULES)
