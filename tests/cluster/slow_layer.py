"""A Python layer that takes its time, and tells that it has begun."""

import os
import time

from deeplab_caffe.layers.python import CaffeLayer


class Slow(CaffeLayer):
    """A copy. param_str: a folder for a file of the process's name."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        with open(f"{self.param_str}/{os.getpid()}", "w"):
            time.sleep(0.3)
        top[0].data[...] = bottom[0].data
