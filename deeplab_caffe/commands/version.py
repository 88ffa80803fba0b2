"""`deeplab-caffe version`: what is installed and which kernels it runs with."""

from .options import verb


@verb("version")
def version() -> None:
    """The version, torch's, the instruction set of the CPU kernels and the GPUs of the CUDA kernels."""
    from .. import _C
    from ..assets import package_version
    from ..errors import DeepLabError

    try:
        isa = _C.isa()
    except ValueError as error:
        raise DeepLabError(str(error)) from None
    kernels = f"CPU kernels {isa}, CUDA kernels {_cuda_targets()}"
    print(f"deeplab_caffe {package_version()}, torch {_installed('torch') or 'not installed'}, {kernels}")


def _installed(package: str) -> str | None:
    """The version that is installed, told without importing the package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cuda_targets() -> str:
    try:
        from .. import _cuda
    except ImportError:
        return "none"
    return _cuda.TARGETS.replace(",", ", ")
