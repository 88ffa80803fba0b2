"""A net as one plain PyTorch module, from there to other formats; each is checked against the exact net."""
