"""Real parts around the simulated meter, and what makes them quick to test with.

Here: a clock that runs faster, a network that fails, serial servers as people run them, and what a process holds open.
Never here: assertions about the client.
"""
