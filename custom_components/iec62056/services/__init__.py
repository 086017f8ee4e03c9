"""Actions: readings, registers and load profiles."""
