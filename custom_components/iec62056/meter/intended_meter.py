"""Which meter an entry's password and changes are for, and what the one that answers must show before they leave.

Its number decides. Where it tells none without the password, make and model must be the same, and before a change it
must have been read within one interval: by then, another meter would have been noticed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from homeassistant.config_entries import ConfigEntry

from ..const import CONF_NUMBER_CODE
from ..protocol.errors import NotThisMeter, ReadingTooOld
from ..protocol.model import Identification, Register
from ..state.identity import UNKNOWN_FLAG, flag_of, plain
from ..state.meter_state import MeterState


@dataclass(frozen=True, slots=True)
class IntendedMeter:
    """What is known of the meter of an entry: the `Intended` of the client."""

    flag: str
    number: str
    code: str = ""
    address: str = ""
    in_readout: bool = False
    # How it announced itself when it was last read.
    identification: Identification | None = None
    # Whether a change needs a newer reading where no number is told.
    too_old: bool = False

    @classmethod
    def of(
        cls,
        entry: ConfigEntry,
        state: MeterState | None = None,
        *,
        change_needs: datetime | None = None,
    ) -> Self:
        """The meter of that entry; a change needs a reading since that time, None where nothing is to be changed."""
        flag, _, number = (entry.unique_id or "").partition("_")
        flag = "" if flag == UNKNOWN_FLAG else flag
        code = entry.data.get(CONF_NUMBER_CODE, "")
        if state is None:
            return cls(flag, number, code)
        told = state.identity
        if not number or number == told.number:
            flag, number, code = told.flag or "", told.number or "", told.number_code or ""
        meant = state.identification
        if meant is not None and number and number in meant.raw:
            return cls(flag, number, identification=meant)
        known = state.registers.get(code)
        return cls(
            flag,
            number,
            code,
            address="" if known is None else known.register.address,
            # Where the readout told none, it may have come for the password. A battery is not woken twice.
            in_readout=bool(entry.unique_id) and not state.profile.on_battery,
            identification=meant,
            too_old=change_needs is not None and state.received < change_needs,
        )

    def check(self, sent: Identification | None, told: Register | None, *, public: bool) -> None:
        """Raise NotThisMeter where another meter has sent this, or nothing shows that this one has."""
        answered = "?" if sent is None else sent.raw
        flag = flag_of(sent) or ""
        if told is not None and told.values:
            number = plain(told.values[0].text)
            of_make = sent is None or self.flag in ("", flag)
            if not of_make or number.lstrip("0") != self.number.lstrip("0"):
                raise NotThisMeter(meter=number)
            return
        if self.identification is None:
            alike = flag == self.flag
        else:
            alike = sent is not None and sent.kind == self.identification.kind
        if public or not alike:
            raise NotThisMeter(meter=answered)
        if self.too_old:
            raise ReadingTooOld(meter=answered)
