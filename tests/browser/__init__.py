"""A real browser in front of a real Home Assistant, with simulated meters behind it: run by scripts/test --browser."""
