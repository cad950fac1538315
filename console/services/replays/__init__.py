"""Replays: bulk resends in the background."""
