"""Measurements of the engine, for people: ``python -m benchmarks drain --help``."""
