"""Modes A to D: messages and data sets in characters.

Never here: mode E (dlms), Home Assistant.
"""
