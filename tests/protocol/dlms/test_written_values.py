"""What a refusal of the meter means for the user."""

import pytest

from custom_components.iec62056.protocol.dlms.apdu import AccessResult
from custom_components.iec62056.protocol.dlms.written_values import refusal
from custom_components.iec62056.protocol.errors import (
    AccessDenied,
    MeterRefused,
    PasswordNeeded,
    UnknownRegister,
    ValueRefused,
)
from custom_components.iec62056.protocol.register_session import Level


@pytest.mark.parametrize(
    ("result", "level", "error"),
    [
        (AccessResult.READ_WRITE_DENIED, Level.OPEN, PasswordNeeded),
        (AccessResult.SCOPE_OF_ACCESS_VIOLATED, Level.OPEN, PasswordNeeded),
        (AccessResult.READ_WRITE_DENIED, Level.PASSWORD, AccessDenied),
        (AccessResult.READ_WRITE_DENIED, Level.SECRET, AccessDenied),
        (AccessResult.OBJECT_UNDEFINED, Level.SECRET, UnknownRegister),
        (AccessResult.OBJECT_UNAVAILABLE, Level.OPEN, UnknownRegister),
        (AccessResult.TYPE_UNMATCHED, Level.SECRET, ValueRefused),
        (AccessResult.HARDWARE_FAULT, Level.SECRET, MeterRefused),
    ],
)
def test_refusals(result: AccessResult, level: Level, error: type[MeterRefused]) -> None:
    raised = refusal(result, "1-0:1.8.0", level)
    assert type(raised) is error
    assert "1-0:1.8.0" in str(raised)
    assert result.name.lower().replace("_", " ") in str(raised)
