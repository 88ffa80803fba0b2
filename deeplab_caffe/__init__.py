"""The original DeepLab models (Caffe prototxt + caffemodel), run bit for bit on CPU and GPU."""
