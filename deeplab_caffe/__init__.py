"""The original DeepLab models (Caffe prototxt + caffemodel), run bit for bit."""

import importlib
from typing import Any

# What `from deeplab_caffe import ...` gives, by module; loaded when first used, so that the command line is
# quick.
_PUBLIC = {
    "ASPP": "kernels.modules",
    "AtrousConv2d": "kernels.modules",
    "DeepLabError": "errors",
    "DenseCRF": "crf",
    "Net": "engine.net",
    "Segmenter": "segmenter.segmenter",
    "atrous_conv2d": "kernels.atrous",
    "bilateral_filter": "kernels.filters",
    "permutohedral_filter": "kernels.filters",
    "read_image": "images.image_file",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module(".assets", __name__).package_version()
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f".{_PUBLIC[name]}", __name__)
    except ModuleNotFoundError as error:
        line = importlib.import_module(".errors", __name__).missing_package(error, name)
        if line is None:
            raise
        raise ModuleNotFoundError(line, name=error.name) from None
    return getattr(module, name)


def __dir__() -> list[str]:
    return [*globals(), "__version__", *__all__]
