"""`python -m deeplab_caffe.pydensecrf script.py ...`: a script whose `pydensecrf` is this package."""

import sys

from . import STAND_IN

if __name__ == "__main__":
    sys.exit(STAND_IN.main(sys.argv[1:]))
