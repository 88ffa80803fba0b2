"""Label maps against ground truth."""
