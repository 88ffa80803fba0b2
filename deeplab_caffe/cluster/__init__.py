"""Many items of work, done by the workers of a Ray cluster."""
