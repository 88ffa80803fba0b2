"""Finds out why a net's numbers differ from another program's: tries what people get wrong."""
