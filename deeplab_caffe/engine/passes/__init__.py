"""Rewrites of a net, one a file, each from nodes to nodes."""
