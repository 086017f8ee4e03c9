"""Every error of the client that has a sentence of its own."""

from collections.abc import Iterator
import string

from custom_components.iec62056.protocol.errors import MeterError


def every_error(kind: type[MeterError] = MeterError) -> Iterator[type[MeterError]]:
    if "text" in vars(kind):
        yield kind
    for narrower in kind.__subclasses__():
        # An error of two kinds is found once.
        if narrower.__bases__[0] is kind:
            yield from every_error(narrower)


def filled(kind: type[MeterError]) -> MeterError:
    """An error with every placeholder its sentence has."""
    names = {name for _, name, _, _ in string.Formatter().parse(kind.text) if name}
    return kind(**{name: f"<{name}>" for name in names})
