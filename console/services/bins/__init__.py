"""Bins, the built-in receiver."""
