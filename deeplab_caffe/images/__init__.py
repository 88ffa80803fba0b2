"""Image files, their sizes, lists of them, palettes."""
