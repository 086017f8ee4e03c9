"""Load profiles, event logs and stored values: the same types for every mode."""
