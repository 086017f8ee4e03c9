"""Long-term statistics: outages filled from the load profile, false steps corrected."""
