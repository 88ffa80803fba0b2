"""Other programs' weights to prototxt + caffemodel: which variable goes where, and into what layout."""
