"""Plain, slow, readable twins of the ops, same signatures; they follow the dtype of their input (float64 too)."""
