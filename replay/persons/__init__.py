"""Persons: what is held about them, and erasures that a restored copy of the log does not know of."""
