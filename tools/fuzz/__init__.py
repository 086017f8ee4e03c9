"""Fuzzing of parsers and conversations."""
