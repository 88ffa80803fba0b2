"""`deeplab-caffe`, `python -m deeplab_caffe`, `torchrun -m deeplab_caffe`: the command line."""

import sys

from .errors import missing_package


def main(arguments: list[str] | None = None) -> int:
    """`commands.main`; where the packages of the command line are missing, one line says so."""
    try:
        from .commands import main as run
    except ModuleNotFoundError as error:
        line = missing_package(error, "deeplab-caffe")
        if line is None:
            raise
        nets = "pip install 'deeplab_caffe[torch]'"
        print(f"error: {line} for crf and refine-pascal, {nets} for all", file=sys.stderr)
        return 2
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
