"""The old name of crf.modules, for one version more."""

import warnings

from .crf.modules import *  # noqa: F403

warnings.warn("now deeplab_caffe.crf.modules", DeprecationWarning, stacklevel=2)
