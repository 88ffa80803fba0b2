"""`python -m deeplab_caffe`, `torchrun -m deeplab_caffe`: the command line."""

import sys

from .commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
