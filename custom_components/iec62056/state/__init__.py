"""State of a meter: every register with its time, and the identity of the meter."""
