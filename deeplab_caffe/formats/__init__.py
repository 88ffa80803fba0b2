"""File formats: prototxt, caffemodel, .mat, .bin, palettes."""
