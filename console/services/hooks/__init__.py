"""Hooks: made, changed, switched and tested, with their fields, secrets, health and reports."""
