"""Upkeep: what one leading worker does for all, from freeing what died to deleting what is old."""
