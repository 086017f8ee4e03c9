"""Everything that can go wrong with a meter, each with the one sentence that tells the user what was seen and what to do.

The sentences of Home Assistant in translations/en.json are these; a test compares them.
"""

import re
from typing import Any, ClassVar, override

from .model import LineProfile
from .reasons import (
    Field,
    Reason,
    Secret,
)

_WORDS = re.compile(r"(?<=.)(?=[A-Z])")


class MeterError(Exception):
    """Anything that keeps a reading from being made; `str()` is the sentence in English.

    `key` names the sentence in the translations: the name of the class, followed by that of the reason where `why`
    is one of its `reasons`.
    """

    key: str = "meter_error"
    text: ClassVar[str] = (
        "The meter could not be read. Try again; if it stays, send the diagnostics with a report."
    )
    reasons: ClassVar[type[Reason] | None] = None

    @override
    def __init_subclass__(cls, *, reasons: type[Reason] | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.key = _WORDS.sub("_", cls.__name__).lower()
        cls.reasons = reasons or cls.reasons

    def __init__(self, **placeholders: str) -> None:
        """Keep the placeholders of the sentence."""
        self.placeholders = placeholders
        why = placeholders.get("why")
        if self.reasons is not None and isinstance(why, self.reasons):
            self.key = f"{self.key}_{why.name.lower()}"
        super().__init__(self.text.format(**placeholders))


class LineError(MeterError):
    """The port itself: nothing was said to a meter, or the way to it broke."""


class BadUrl(LineError):
    text = "{port} is not a port or an address of a bridge. Use a device such as /dev/ttyUSB0, or socket://host:port, rfc2217://host:port."


class BridgeAddress(BadUrl):
    text = "{port} looks like the address of a bridge. Write rfc2217://{port} where the bridge speaks RFC 2217, or socket://{port} where it is a raw TCP bridge, with the number of its port behind it."


class PortMissing(LineError):
    text = "The port {port} does not exist. Plug the probe in, or choose another port."


class PortBusy(LineError):
    text = "The port {port} is in use by another program. Stop the other reader of this meter, then try again."


class PortHeld(PortBusy):
    text = "The port {port} is in use by {holder}. Choose the meter's own port, or remove the other reader, then try again."


class NoPermission(LineError):
    text = "There is no permission to open {port}. Add the user to the group that owns the device, or pass the device into the container."


class ConnectionRefused(LineError):
    text = "{port} refused the connection. Check the bridge's port number, and that no other client is connected to it."


class BridgeTaken(ConnectionRefused):
    text = "{port} ended the connection at once: another client is probably connected to it. Close the other client, or let the bridge serve more than one, then try again."


class ConnectionTimedOut(LineError):
    text = "{port} did not answer in time. Check the bridge's address, its power and its network."


class ConnectionLost(LineError):
    # It was the other side that ended the connection.
    by_bridge: bool = False
    text = "The connection to {port} broke. It is opened again at the next reading. If it happens often, check the cable or the bridge, and that no other program uses it."


class BridgeShared(ConnectionLost):
    """The bridge ended one session after the other, as when a second client takes the place of the first."""

    text = "{port} ended the connection in one session after the other: another program seems to use this bridge. Stop the other program, or let the bridge serve more than one client. If there is none, look for a time limit in the bridge's settings."


class BridgeNotReady(LineError):
    text = "The bridge behind {port} is not there yet. It is tried again; an ESPHome node may be asleep or still starting."


class BridgeRefusedSettings(LineError):
    text = "The bridge {port} does not set its line to {wanted}. Use its raw TCP port with a fixed speed, or a bridge that can switch."


class LineBusy(LineError):
    text = "The line {port} does not become silent. A meter may still be sending: wait a minute and try again."


class NoAnswer(MeterError):
    text = "The meter did not answer: not a single character came. Turn and shift the probe on the meter, and check that it is the optical port. Some meters answer only to their number: enter it."


class BridgeSilent(NoAnswer):
    """A raw bridge says neither its settings nor whether it has another client."""

    text = "Not a single character came through {port}. Shift the probe; check that the bridge is set to 300 Bd and has no other client. Some meters answer only to their number: enter it."


class NumberUnanswered(MeterError):
    text = "No meter answered to the number that was given. Check the number, or leave it empty where the meter is alone. Then shift the probe."


class BusSilent(MeterError):
    text = "No meter on the bus answered. Check the two wires, the supply of the loop, and the number of the meter."


class OnlyEcho(MeterError):
    text = "Only the probe's own light came back, no answer of the meter. The probe works: shift it on the meter's port until the meter answers too."


class WrongParity(MeterError):
    text = "{percent} % of the characters arrived damaged. Move the probe, keep sunlight away, or check the speed and parity the bridge is set to."


class NoIdentification(MeterError):
    """Readable characters, but not what a meter says first. `steady`: as many as only the right speed brings."""

    steady: bool = False
    text = "Characters came, but no identification of a meter. Another device may be on the line, or the line runs at another speed."


class SeveralMeters(MeterError):
    text = "Several meters answered at once. Enter the number of the meter to read."


class NumberNeeded(MeterError):
    text = "Several meters share this line. Enter the number of the meter to read."


class FixedSpeed(MeterError):
    text = "Nothing came through {port}, which is fixed at {speed} Bd; most meters are called at 300 Bd. Set the bridge to 300 Bd, or use a bridge whose speed can be changed."


class MeterFaster(FixedSpeed):
    text = "The meter sends its data at {wanted} Bd whatever it is asked, but {port} stays at {speed} Bd. Use a USB probe, or a bridge whose speed can be changed (RFC 2217, ESPHome)."


class OtherProtocol(MeterError):
    text = "This meter speaks {protocol}, not IEC 62056-21. Home Assistant reads it with: {integration}."


class InvertedSignal(MeterError):
    """What comes makes sense only with high and low exchanged."""

    text = "The signal is inverted: the probe or the adapter turns it round. Set it to the other polarity, or use a probe or cable made for this meter."


class NoData(MeterError):
    text = "The meter {meter} gave its name, but no data followed. Under “Advanced”, try “Stay at 300 Bd” or a longer “Delay before a change of speed”."


class Incomplete(MeterError):
    text = "The data of the meter stopped in the middle. The reading is tried again; move the probe if it happens often."


class CheckWrong(MeterError):
    # The same for data that differ in their digits alone; empty where the line itself has done harm.
    shape: bytes = b""
    # For a meter whose check was wrong in several readings alike: the profile that does without it.
    without: LineProfile | None = None
    text = "The data arrived, but their check character was wrong. The reading is tried again; move the probe if it happens often."


class MeterRefused(MeterError):
    """An error message (Std 6.3.7)."""

    text = "The meter refused: {message}. The register may need a password, or this meter does not have it."


class MeterBreak(MeterError):
    """A break (Std 6.3.10)."""

    text = "The meter ended the session. It is busy or locked for a while; it is tried again at the next reading."


class NumberUnsteady(MeterError):
    """Two readings named two meters, and no check character tells which is right."""

    text = "The meter's number was not the same in two readings. Move the probe until it sits well, then try again."


class NoTelegram(MeterError):
    text = "No data of a meter were found in {name}. Give a file with what the meter sent, as text, bytes or hexadecimal."


class BadField(MeterError, ValueError, reasons=Field):
    """It could end its message and begin another (Std 6.3.14)."""

    text = "What was entered cannot be sent: {why}. Use printable characters without brackets, slash and exclamation mark."


class NoProgramming(MeterError):
    """Std 6.4.3.3."""

    text = "The meter {meter} does not offer programming mode. Single registers cannot be asked for; its readout holds all it tells."


class ReadoutInstead(MeterError):
    text = "The meter sent its readout in place of programming mode, and {code} is not in it. Use a probe or a bridge that can change its speed, and leave “Stay at 300 Bd” under “Advanced” off."


class CommandUnanswered(MeterError):
    text = "The meter did not answer a command. Its session may have ended; move the probe if it happens often."


class AnswerUnclear(MeterError):
    text = "The meter answered something else when it was asked for {code}. It is tried again; if it stays, send the diagnostics with a report."


class CommandUnknown(MeterRefused):
    text = "The meter does not understand the command for {code} ({message}). Put another command before the code, as in R5 1.8.0, or check the code."


class UnknownRegister(MeterRefused):
    text = "The meter has no register {code} ({message}). Check the code in the meter's manual."


class ValueRefused(MeterRefused):
    text = "The meter does not take this value for {code} ({message}). Check the form of the value in the meter's manual."


class NothingRecorded(MeterRefused):
    text = "The meter has nothing recorded for {code} ({message}). Ask for another range of time."


class AccessDenied(MeterRefused):
    """The register needs a higher access level than the session has (Std Annex D)."""

    text = "The meter refuses {code} with this password ({message}). It needs another password, or is kept for the meter's operator."


class PasswordNeeded(AccessDenied):
    text = "The meter wants a password for {code} ({message}). Enter the password of the meter; its operator knows it."


class SealedRegister(AccessDenied):
    text = "The meter protects {code} by its seal or by a button ({message}). Only its operator can change this, at the meter itself."


class LoginError(MeterError):
    """No login; what is readable without one still is read."""


class PasswordRefused(LoginError):
    text = "The meter refused the password. Enter the right one; a few wrong ones may lock the meter's port for a while."


class LockedOut(LoginError):
    text = "The meter accepts no password at present: it is locked ({message}). Wait until it is free again, without another try: a minute with some, a day with others."


class LoginUnanswered(LoginError):
    """Whether the password was right is not known."""

    text = "The meter's answer to the password did not arrive. Move the probe until it sits well, then try again."


class LoginDamaged(LoginUnanswered):
    text = "What came back after the password was damaged, so whether it was right is not known. Move the probe until it sits well and reflects nothing of its own light, then try again."


class SecretNeeded(LoginError):
    text = "This meter wants an answer that is computed with its maker's secret. Only the maker's own software can log in; read what needs no password."


class OperandRepeated(LoginError):
    """Somebody may be listening for the same answer."""

    text = "The meter asked twice with the same number, and it is never answered twice. Try again later; if it stays, this meter cannot be logged in to safely."


class BadSecret(LoginError, ValueError, reasons=Secret):
    text = (
        "This password cannot be used with the meter: {why}. Check its length and its characters."
    )


class NotPermitted(MeterError):
    text = "{code} may not be changed: it is not on the list of this meter. Allow it in the options of the meter first."


class NotThisMeter(MeterError):
    text = "The meter that answered ({meter}) got neither a password nor a change: nothing shows that it is the one set up here. Check which meter the probe sits on; if the meter was replaced, read it and answer the question under Repairs."


class ReadingTooOld(NotThisMeter):
    text = "The meter {meter} got neither a password nor a change: it does not tell its number without a password, and its last reading is too old. Read the meter, then try again."


class ClockUnknown(MeterError):
    text = "The clock of this meter cannot be set: its form is not known. Send the diagnostics with a report, so that it can be learned."


class BadKeyFile(MeterError):
    text = "The file {name} cannot be used: {why}. docs/mode_e.md says what stands in it."


class NotWritten(MeterError):
    """What must survive a crash before something is sent is not on disk."""

    text = "Nothing was sent: what must be kept of it could not be written to the disk. Make room on the disk; it is tried again."


class PushHeard(MeterError):
    """A meter that was asked, or listened to for text, sends DLMS by itself."""

    text = (
        "The meter sends DLMS telegrams by itself. Leave the mode to “Automatic”, or choose mode D."
    )
