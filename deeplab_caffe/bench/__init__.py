"""Measurements side by side: ours against torch and other peers, as tables, JSON and pictures."""
