"""The component of this repository, as Home Assistant finds it."""
