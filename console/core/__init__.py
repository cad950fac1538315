"""The rules of webhooks, pure: no Flask, no SQLAlchemy, no Redis, no clock and no randomness of their own."""
