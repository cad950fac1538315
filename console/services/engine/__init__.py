"""The engine: due work is claimed, sent with what its hook says now, and its results become rows."""
