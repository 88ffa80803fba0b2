"""Shows that a net's numbers equal another program's, or finds out why they do not."""
