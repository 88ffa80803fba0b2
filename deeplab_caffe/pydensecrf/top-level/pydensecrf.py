"""The name `pydensecrf` where this folder is in Python's path; the package takes this module's place."""

from deeplab_caffe.pydensecrf import install

install()
