"""A database that refuses to change sums of statistics now and then."""

from typing import Any

from homeassistant.components.recorder import statistics
from homeassistant.components.recorder.db_schema import Statistics, StatisticsShortTerm


class Refused:
    """In place of the recorder's own: for each table, which of its changes are refused."""

    def __init__(self, short: list[bool], hours: list[bool]) -> None:
        """Let all that follow be made."""
        self._refused = {StatisticsShortTerm: short, Statistics: hours}
        self._adjust = statistics._adjust_sum_statistics

    def __call__(self, session: Any, table: Any, *arguments: Any) -> None:
        left = self._refused[table]
        if not left or not left.pop(0):
            self._adjust(session, table, *arguments)
