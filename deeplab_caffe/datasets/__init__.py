"""Data sets in their official folders: lists, label maps and `run` configurations made of them."""
