"""How a net runs: its layers' order, memory, weights and the loops over them."""
