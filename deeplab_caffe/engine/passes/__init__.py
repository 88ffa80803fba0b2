"""Rewrites of a net's steps, one a file, each from steps to steps."""
