"""The parameters of layers: what they hold, what they start from, where they live."""
