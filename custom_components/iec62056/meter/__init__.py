"""How one meter is reached and read, without entities and coordinator."""
