"""What the native API takes and gives, as pydantic models: the specification is made from them."""
