"""Deliveries as people see them: the log, its filters, their bodies, what they wait for, what is done by hand."""
