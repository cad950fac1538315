"""How replays are planned, counted, fed and stopped; ``services.replays`` is what others use."""
