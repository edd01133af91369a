"""Protocols of data modules for tasks and callbacks, and the data module of a trainer as one of them."""
