"""Sensor entities: registers, derived values and diagnostics."""
