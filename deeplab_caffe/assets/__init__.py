"""Where the files that ship with the package are: nets, models, photos, in a checkout or installed."""

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


def demo_photos() -> list[Path]:
    """The photos the demo segments."""
    return sorted(asset("demo").glob("*.jpg"))
