"""Real parts around the simulated meter, and what makes them quick to test with."""
