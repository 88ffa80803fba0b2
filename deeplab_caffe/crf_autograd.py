"""The old name of crf.autograd, for one version more."""

import warnings

from .crf.autograd import *  # noqa: F403

warnings.warn(
    "deeplab_caffe.crf_autograd is now deeplab_caffe.crf.autograd", DeprecationWarning, stacklevel=2
)
