"""The dialects: webhook APIs that exist elsewhere, spoken as they are, so that clients written for them work unchanged.

Each is a thin face on the same services as the native API. None knows another; what those that are built like Django
REST framework have in common lives in ``drf``.
"""
