"""Validation of readings: which values are published, held or asked about."""
