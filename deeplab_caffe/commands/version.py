"""`deeplab-caffe version`: what is installed and which kernels it runs with."""

from .options import verb


@verb("version")
def version() -> None:
    """The version, torch's, and the instruction set the CPU kernels use."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    import torch

    from .. import ops

    try:
        own = installed("deeplab_caffe")
    except PackageNotFoundError:
        own = "not installed (source tree)"
    print(f"deeplab_caffe {own}, torch {torch.__version__}, CPU kernels {ops.isa()}")
