"""Figures: what the console and the monitoring count, from roll-ups and indexes."""
