"""Callbacks that are called when something has changed."""

from homeassistant.core import CALLBACK_TYPE, callback


class Listeners:
    """The callbacks of one thing that changes."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._callbacks: list[CALLBACK_TYPE] = []

    @callback
    def add(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call it from now on; gives what ends that."""
        self._callbacks.append(listener)
        return lambda: self._callbacks.remove(listener)

    @callback
    def notify(self) -> None:
        """Call them all."""
        for listener in list(self._callbacks):
            listener()
