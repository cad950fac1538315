"""Organizations: made, renamed, exported and closed, with their defaults and the sources of their events."""
