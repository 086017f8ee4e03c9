"""OBIS code to what Home Assistant calls it: tables, matching, names, units, overrides, index and selection."""
