"""The half-duplex line over serialx: the only input and output of the client."""
