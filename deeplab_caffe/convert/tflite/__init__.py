"""TensorFlow Lite graphs to prototxt + caffemodel: which operator becomes which layer."""
