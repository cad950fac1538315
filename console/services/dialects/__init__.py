"""What the dialects ask of hooks and deliveries that nobody else does."""
