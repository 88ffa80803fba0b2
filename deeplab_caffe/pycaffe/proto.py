"""`caffe.proto`, whose module caffe_pb2 has the messages of Caffe's files."""

from ..formats import caffe_pb2

__all__ = ["caffe_pb2"]
