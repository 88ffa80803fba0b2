"""Writes the prototxts of the larger nets: `NetText` lays out the text, one module a backbone or family."""
