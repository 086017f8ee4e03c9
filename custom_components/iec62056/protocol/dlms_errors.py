"""Errors of mode E and of meters that push DLMS, with their sentences as in `errors`."""

from .errors import LoginError, MeterError
from .model import LineProfile
from .reasons import (
    Answered,
    Association,
    Authentication,
    Counter,
    Lost,
    PushKey,
    Security,
    Service,
    Unkept,
    Unsent,
)


class DlmsError(MeterError):
    """Anything that goes wrong in mode E, behind the sign-on."""


class SevenBits(DlmsError):
    text = "The line {port} is fixed to 7 data bits and cannot carry the binary mode (E). Set the bridge to 8 data bits without parity (8N1); the other modes work with it too."


class BinaryRefused(DlmsError):
    text = "The meter {meter} did not change to its binary mode (E). Choose the automatic mode, or mode C."


class HdlcSilent(DlmsError):
    text = "The meter does not answer in binary mode (HDLC). Check the client and server address, and that the line carries eight bits."


class HdlcRefused(DlmsError):
    """DM or FRMR in answer to SNRM."""

    text = "The meter refuses a connection in binary mode (HDLC). Another client may be connected: wait two minutes. Then check the client address."


class HdlcLost(DlmsError, reasons=Lost):
    text = "The connection in binary mode broke: {why}. The reading is tried again; move the probe if it happens often."


class DlmsMalformed(DlmsError):
    text = "The meter sent an answer that cannot be understood ({why}). The reading is tried again; if it stays, send the diagnostics with a report."


class DlmsUnsent(DlmsError, ValueError, reasons=Unsent):
    text = "The request cannot be sent: {why}. Check the register and the value."


class AssociationRefused(DlmsError, reasons=Association):
    text = (
        "The meter refuses the association: {why}. Check the client address and the security level."
    )


class AuthenticationRefused(AssociationRefused, LoginError, reasons=Authentication):
    """Diagnostics 11 to 14 of an AARE."""

    text = "The meter refuses the login: {why}. Check the password or key and the security level; do not try often, it may lock."


class ServiceRefused(DlmsError, reasons=Service):
    text = "The meter refuses the request: {why}. This meter may not offer the service at this security level."

    def __init__(self, *, counter: int | None = None, **placeholders: str) -> None:
        """Keep the invocation counter the meter expects."""
        self.counter = counter
        super().__init__(**placeholders)


class SecurityBroken(DlmsError, LoginError, reasons=Security):
    text = "The meter's answer is not secure: {why}. Check the keys. If they are right, something on the line may be changing the data."


class ProtectionDiffers(SecurityBroken, reasons=Answered):
    text = "The meter protects its answers by less than was chosen: {why}. If its operator says that this is right, choose that protection."


class CounterExhausted(DlmsError, reasons=Counter):
    text = "No message can be encrypted: {why}. The meter needs a new key; ask its operator."


class CounterUnkept(CounterExhausted, reasons=Unkept):
    text = "No message can be encrypted: {why}. Make room on the disk; if the file .storage/iec62056.counters is damaged, restore it from a backup, or delete it."


class PushUnframed(DlmsError):
    """A meter that pushes was listened for, and octets came, but no whole telegram."""

    text = "Data came, but no whole telegram of a meter that pushes DLMS. Check speed and parity: 9600 Bd without parity is usual on an optical port, 2400 Bd with even parity on a wired one. Then move the probe, or check the wires."


class PushKeyError(DlmsError, LoginError):
    """The meter pushes encrypted telegrams that cannot be opened. `found` is the way to it."""

    found: LineProfile = LineProfile()


class PushKeyNeeded(PushKeyError):
    """The meter pushes encrypted telegrams, and no key was given."""

    text = "The telegrams of this meter ({make}) are encrypted, and there is no key. Ask the grid operator for the key of the customer interface."


class PushKeyWrong(PushKeyError, reasons=PushKey):
    """The meter pushes encrypted telegrams, and the key does not fit them."""

    text = "The key does not fit what the meter sends: {why}. Compare it with what the grid operator gave you; the operator may have changed it."
