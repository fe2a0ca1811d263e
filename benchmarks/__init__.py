"""Figures, not tests: each module measures one thing and prints it."""
