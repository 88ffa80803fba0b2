"""Where the files that ship with the package are: nets, models, photos, in a checkout or installed."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import DeepLabError

# A wheel holds them inside the package (setup.py copies them), a checkout beside it.
_PACKAGE = Path(__file__).parents[1]
_ROOTS = (_PACKAGE / "share", _PACKAGE.parent)


def asset(name: str) -> Path:
    """The path of a shipped file or folder such as `weights/camvid_largefov.caffemodel`."""
    for root in _ROOTS:
        if (root / name).exists():
            return root / name
    raise DeepLabError(f"{name} is not part of this installation; looked in {' and '.join(map(str, _ROOTS))}")


def package_version() -> str:
    """The version of this package: of the checkout that it is imported from, else of what is installed."""
    project = _PACKAGE.parent / "pyproject.toml"
    if project.is_file():
        found = re.search(r'^name = "deeplab_caffe"\nversion = "(.+)"$', project.read_text(), re.MULTILINE)
        if found:
            return found[1]
    try:
        return version("deeplab_caffe")
    except PackageNotFoundError:
        return "unknown"


def demo_photos() -> list[Path]:
    """The photos the demo segments."""
    return sorted(asset("demo").glob("*.jpg"))
