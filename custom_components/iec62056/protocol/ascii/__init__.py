"""Modes A to D: messages and data sets in characters."""
