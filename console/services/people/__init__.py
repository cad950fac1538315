"""People: their accounts, roles, sessions, second factors and tokens; who they are and what they may do."""
