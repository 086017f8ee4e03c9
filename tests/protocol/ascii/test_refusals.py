"""Error messages by their meaning."""

import pytest

from custom_components.iec62056.protocol.ascii.refusals import error_text, login_refusal, refusal
from custom_components.iec62056.protocol.errors import (
    AccessDenied,
    CommandUnknown,
    LockedOut,
    MeterRefused,
    NothingRecorded,
    PasswordNeeded,
    PasswordRefused,
    SealedRegister,
    SecretNeeded,
    UnknownRegister,
    ValueRefused,
)
from custom_components.iec62056.protocol.register_session import Level


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (b"(ERROR)", "ERROR"),
        (b"(ERROR05)", "ERROR05"),
        (b"(ERR12)\r\n", "ERR12"),
        (b"P.98(ERROR)", "ERROR"),
        (b"ET0PE(ERR12)\r\n", "ERR12"),
        (b"ER(08)", "ER(08)"),
        (b"(#0018)", "#0018"),
        (b"(#ERR00001)", "#ERR00001"),
        (b"(ERRDAT)", "ERRDAT"),
        (b"(ER access denied)", "ER access denied"),
        (b"(00000000)", None),
        (b"1.8.0(000123.4*kWh)", None),
        (b"F.F(00000000)", None),
        (b"(ERROR)1.8.0(1)", None),
        (b"96.1(ERIKA)", None),
        (b"(ERR" + b"1" * 100 + b")", None),
        (b"", None),
    ],
)
def test_texts(block: bytes, text: str | None) -> None:
    assert error_text(block) == text


@pytest.mark.parametrize(
    ("text", "level", "kind"),
    [
        ("ERROR01", Level.OPEN, CommandUnknown),
        ("ERROR02", Level.OPEN, PasswordNeeded),
        ("ERROR02", Level.PASSWORD, AccessDenied),
        ("ERROR06", Level.PASSWORD, ValueRefused),
        ("ERROR13", Level.PASSWORD, SealedRegister),
        ("ERROR15", Level.PASSWORD, SealedRegister),
        ("ERROR14", Level.OPEN, PasswordNeeded),
        ("ERROR14", Level.SECRET, AccessDenied),
        ("ERR2", Level.OPEN, UnknownRegister),
        ("ERR5", Level.OPEN, PasswordNeeded),
        ("ERR12", Level.PASSWORD, UnknownRegister),
        ("ERR27", Level.PASSWORD, MeterRefused),
        ("#0018", Level.OPEN, PasswordNeeded),
        ("#0020", Level.PASSWORD, SealedRegister),
        ("#0103", Level.PASSWORD, NothingRecorded),
        ("#ERR00001", Level.OPEN, UnknownRegister),
        ("#ERR00002", Level.OPEN, CommandUnknown),
        ("ERROR", Level.OPEN, MeterRefused),
        ("ER(08)", Level.OPEN, MeterRefused),
    ],
)
def test_meanings(text: str, level: Level, kind: type[MeterRefused]) -> None:
    found = refusal(text, "1.8.0", level)
    assert type(found) is kind
    assert text in str(found)


def test_empty_range_of_a_log() -> None:
    assert type(refusal("ERROR", "P.98(2611010000;)", Level.PASSWORD)) is NothingRecorded


def test_login() -> None:
    assert isinstance(login_refusal("ERR5"), LockedOut)
    assert isinstance(login_refusal("ERROR02"), SecretNeeded)
    assert isinstance(login_refusal("ERROR14"), PasswordRefused)
    assert isinstance(login_refusal("ERROR"), PasswordRefused)
