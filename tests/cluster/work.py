"""What workers do in tests: in a module of its own, which loads quickly there."""

import os
import warnings

from deeplab_caffe.errors import DeepLabError, DeepLabWarning


class Square:
    """Squares; says where, minds what is odd about some numbers."""

    def __init__(self, threads):
        self.threads = threads

    def __call__(self, item):
        number, folder = item
        if number == 3:
            raise DeepLabError("3: broken")
        if number == 4:
            warnings.warn(DeepLabWarning("4 is even"), stacklevel=1)
        if number == 7:
            with open(f"{folder}/{os.getpid()}.lost", "w"):
                os._exit(1)
        return number**2, self.threads


def refused(threads):
    raise DeepLabError("no such net")
