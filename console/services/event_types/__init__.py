"""Event types: an organization's catalogue, its groups, schemas and samples."""
