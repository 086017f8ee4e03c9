"""A Home Assistant of its own with a simulated meter in it, for anyone without a probe."""
