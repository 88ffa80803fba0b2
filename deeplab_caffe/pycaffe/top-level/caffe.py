"""The name `caffe` where this folder is in Python's path; the package takes this module's place."""

from deeplab_caffe.pycaffe import install

install()
