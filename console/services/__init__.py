"""The use cases: functions over a Work (session, clock, ring, keys, settings). They own the transactions."""
