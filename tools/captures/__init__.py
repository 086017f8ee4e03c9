"""Comparison of stored telegrams with what was found in them by reading."""
