"""One tree of exceptions: each names what happened and what the person can do next.

Here: what can go wrong between a person and a meter. `key` is the stable name (Home Assistant translates it),
`placeholders` fill it, `str()` is the English sentence for the command line and the log. Where one sentence has several
reasons, `why` is one of them, and the key is that of the sentence with it.
Never here: passwords, raw bytes, tracebacks.
"""

from typing import ClassVar, override

from .model import LineProfile
from .reasons import (
    Association,
    Authentication,
    Counter,
    Field,
    Lost,
    Reason,
    Secret,
    Security,
    Service,
    Unkept,
    Unsent,
)


class MeterError(Exception):
    """Anything that keeps a reading from being made."""

    key: str = "unknown"
    text: ClassVar[str] = "The meter could not be read."
    advice: ClassVar[str] = "Try again; if it stays, send the diagnostics with a report."
    reasons: ClassVar[type[Reason] | tuple[()]] = ()

    def __init__(self, **placeholders: str) -> None:
        """Keep the placeholders of the sentence."""
        self.placeholders = placeholders
        if isinstance(why := placeholders.get("why"), self.reasons):
            self.key = f"{self.key}_{why.name.lower()}"
        super().__init__(self.text.format(**placeholders))

    @override
    def __str__(self) -> str:
        return f"{self.text} {self.advice}".format(**self.placeholders)


class LineError(MeterError):
    """The port itself: nothing was said to a meter, or the way to it broke."""


class BadUrl(LineError):
    """The port's name cannot be understood."""

    key = "bad_url"
    text = "{port} is not a port or an address of a bridge."
    advice = "Use a device such as /dev/ttyUSB0, or socket://host:port, rfc2217://host:port."


class BridgeAddress(BadUrl):
    """The address of a bridge, without what is spoken to it."""

    key = "bridge_address"
    text = "{port} looks like the address of a bridge."
    advice = (
        "Write rfc2217://{port} where the bridge speaks RFC 2217, or socket://{port} where it is a raw TCP bridge, "
        "with the number of its port behind it."
    )


class PortMissing(LineError):
    """The device is not there."""

    key = "port_missing"
    text = "The port {port} does not exist."
    advice = "Plug the probe in, or choose another port."


class PortBusy(LineError):
    """Another program holds the device."""

    key = "port_busy"
    text = "The port {port} is in use by another program."
    advice = "Stop the other reader of this meter, then try again."


class PortHeld(PortBusy):
    """Another program holds the device, and it is known which."""

    key = "port_held"
    text = "The port {port} is in use by {holder}."
    advice = "Choose the meter's own port, or remove the other reader, then try again."


class NoPermission(LineError):
    """The device may not be opened."""

    key = "no_permission"
    text = "There is no permission to open {port}."
    advice = (
        "Add the user to the group that owns the device, or pass the device into the container."
    )


class ConnectionRefused(LineError):
    """The bridge's host answers, the port does not."""

    key = "connection_refused"
    text = "{port} refused the connection."
    advice = "Check the bridge's port number, and that no other client is connected to it."


class BridgeTaken(ConnectionRefused):
    """The bridge accepts a connection and ends it at once: it serves one client, and has one."""

    key = "bridge_taken"
    text = "{port} ended the connection at once: another client is probably connected to it."
    advice = "Close the other client, or let the bridge serve more than one, then try again."


class ConnectionTimedOut(LineError):
    """The bridge's host does not answer."""

    key = "connection_timed_out"
    text = "{port} did not answer in time."
    advice = "Check the bridge's address, its power and its network."


class ConnectionLost(LineError):
    """The way to the meter broke in the middle. `by_bridge`: it was the other side that ended the connection."""

    by_bridge: bool = False
    key = "connection_lost"
    text = "The connection to {port} broke."
    advice = (
        "It is opened again at the next reading. If it happens often, check the cable or the bridge, "
        "and that no other program uses it."
    )


class BridgeShared(ConnectionLost):
    """The bridge has ended one session after the other: as it does when a second client takes the place of the first."""

    key = "bridge_shared"
    text = (
        "{port} ended the connection in one session after the other: "
        "another program seems to use this bridge."
    )
    advice = (
        "Stop the other program, or let the bridge serve more than one client. If there is none, "
        "look for a time limit in the bridge's settings."
    )


class BridgeNotReady(LineError):
    """The bridge is known but not there yet."""

    key = "bridge_not_ready"
    text = "The bridge behind {port} is not there yet."
    advice = "It is tried again; an ESPHome node may be asleep or still starting."


class BridgeRefusedSettings(LineError):
    """An RFC 2217 server or a proxy did not take the line's settings."""

    key = "bridge_refused_settings"
    text = "The bridge {port} does not set its line to {wanted}."
    advice = "Use its raw TCP port with a fixed speed, or a bridge that can switch."


class LineBusy(LineError):
    """The line stays noisy after a session that was broken off."""

    key = "line_busy"
    text = "The line {port} does not become silent."
    advice = "A meter may still be sending: wait a minute and try again."


class NoAnswer(MeterError):
    """Not one character came."""

    key = "no_answer"
    text = "The meter did not answer: not a single character came."
    advice = (
        "Turn and shift the probe on the meter, and check that it is the optical port. "
        "Some meters answer only to their number: enter it."
    )


class BridgeSilent(NoAnswer):
    """Not one character came through a raw bridge, which says neither its settings nor whether it has a client."""

    key = "bridge_silent"
    text = "Not a single character came through {port}."
    advice = (
        "Shift the probe; check that the bridge is set to 300 Bd and has no other client. "
        "Some meters answer only to their number: enter it."
    )


class NumberUnanswered(MeterError):
    """Not one character came, and the meter was called by its number: that may be wrong."""

    key = "number_unanswered"
    text = "No meter answered to the number that was given."
    advice = "Check the number, or leave it empty where the meter is alone. Then shift the probe."


class BusSilent(MeterError):
    """No character of a meter came over a current loop or RS-485, where our own may come back."""

    key = "bus_silent"
    text = "No meter on the bus answered."
    advice = "Check the two wires, the supply of the loop, and the number of the meter."


class OnlyEcho(MeterError):
    """Only our own characters came back."""

    key = "only_echo"
    text = "Only the probe's own light came back, no answer of the meter."
    advice = "The probe works: shift it on the meter's port until the meter answers too."


class WrongParity(MeterError):
    """Characters came, but damaged."""

    key = "wrong_parity"
    text = "{percent} % of the characters arrived damaged."
    advice = (
        "Move the probe, keep sunlight away, or check the speed and parity the bridge is set to."
    )


class NoIdentification(MeterError):
    """Readable characters, but not what a meter says first. `steady`: as many as only the right speed brings."""

    steady: bool = False
    key = "no_identification"
    text = "Characters came, but no identification of a meter."
    advice = "Another device may be on the line, or the line runs at another speed."


class SeveralMeters(MeterError):
    """More than one meter answered at once."""

    key = "several_meters"
    text = "Several meters answered at once."
    advice = "Enter the number of the meter to read."


class NumberNeeded(MeterError):
    """Several meters share the line, and none was named: called without a number, all would answer at once."""

    key = "number_needed"
    text = "Several meters share this line."
    advice = "Enter the number of the meter to read."


class FixedSpeed(MeterError):
    """Nothing came over a line that stays at another speed than the one meters begin with."""

    key = "fixed_speed"
    text = "Nothing came through {port}, which is fixed at {speed} Bd; most meters are called at 300 Bd."
    advice = "Set the bridge to 300 Bd, or use a bridge whose speed can be changed."


class MeterFaster(FixedSpeed):
    """The meter sends at a speed of its own, without being asked (mode B), on a line that cannot follow it."""

    key = "meter_faster"
    text = "The meter sends its data at {wanted} Bd whatever it is asked, but {port} stays at {speed} Bd."
    advice = "Use a USB probe, or a bridge whose speed can be changed (RFC 2217, ESPHome)."


class OtherProtocol(MeterError):
    """A meter that speaks something else."""

    key = "other_protocol"
    text = "This meter speaks {protocol}, not IEC 62056-21."
    advice = "Home Assistant reads it with: {integration}."


class InvertedSignal(MeterError):
    """What comes makes sense only with high and low exchanged."""

    key = "inverted_signal"
    text = "The signal is inverted: the probe or the adapter turns it round."
    advice = "Set it to the other polarity, or use a probe or cable made for this meter."


class NoData(MeterError):
    """An identification, then nothing."""

    key = "no_data"
    text = "The meter {meter} gave its name, but no data followed."
    advice = "Under “Advanced”, try “Stay at 300 Bd” or a longer “Delay before a change of speed”."


class Incomplete(MeterError):
    """The data stopped before their end."""

    key = "incomplete"
    text = "The data of the meter stopped in the middle."
    advice = "The reading is tried again; move the probe if it happens often."


class CheckWrong(MeterError):
    """The check character does not fit the data.

    `shape` is the same for data that differ in their digits alone; empty where the line itself has done harm.
    `without` is the way to a meter whose check was wrong in several readings alike, doing without it; None before that.
    """

    shape: bytes = b""
    without: LineProfile | None = None
    key = "check_wrong"
    text = "The data arrived, but their check character was wrong."
    advice = "The reading is tried again; move the probe if it happens often."


class MeterRefused(MeterError):
    """The meter answered with an error message (Std 6.3.7)."""

    key = "meter_refused"
    text = "The meter refused: {message}."
    advice = "The register may need a password, or this meter does not have it."


class MeterBreak(MeterError):
    """The meter ended the session itself (Std 6.3.10)."""

    key = "meter_break"
    text = "The meter ended the session."
    advice = "It is busy or locked for a while; it is tried again at the next reading."


class NumberUnsteady(MeterError):
    """Two readings named two meters, and no check character tells which is right."""

    key = "number_unsteady"
    text = "The meter's number was not the same in two readings."
    advice = "Move the probe until it sits well, then try again."


class TelegramError(MeterError):
    """A stored telegram without anything a meter would send."""

    key = "no_telegram"
    text = "No data of a meter were found in {name}."
    advice = "Give a file with what the meter sent, as text, bytes or hexadecimal."


class BadField(MeterError, ValueError):
    """A field that must not be sent: it could end its message and begin another (Std 6.3.14)."""

    key = "bad_field"
    reasons = Field
    text = "The {field} cannot be sent: {why}."
    advice = "Use printable characters without brackets, slash and exclamation mark."


class NoProgramming(MeterError):
    """A meter that has no programming mode, or does not offer it here (Std 6.4.3.3)."""

    key = "no_programming"
    text = "The meter {meter} does not offer programming mode."
    advice = "Single registers cannot be asked for; its readout holds all it tells."


class ReadoutInstead(MeterError):
    """Programming mode was asked for, and the readout came: what is not in it cannot be had."""

    key = "readout_instead"
    text = "The meter sent its readout in place of programming mode, and {code} is not in it."
    advice = "Use a probe or a bridge that can change its speed, and leave “Stay at 300 Bd” under “Advanced” off."


class CommandUnanswered(MeterError):
    """An open session in which the meter answers no more."""

    key = "command_unanswered"
    text = "The meter did not answer a command."
    advice = "Its session may have ended; move the probe if it happens often."


class AnswerUnclear(MeterError):
    """The meter answered with another register than the one it was asked for."""

    key = "answer_unclear"
    text = "The meter answered something else when it was asked for {code}."
    advice = "It is tried again; if it stays, send the diagnostics with a report."


class CommandUnknown(MeterRefused):
    """The meter does not know this kind of command, or not its form."""

    key = "command_unknown"
    text = "The meter does not understand the command for {code} ({message})."
    advice = "Put another command before the code, as in R5 1.8.0, or check the code."


class UnknownRegister(MeterRefused):
    """The meter has no such register."""

    key = "unknown_register"
    text = "The meter has no register {code} ({message})."
    advice = "Check the code in the meter's manual."


class ValueRefused(MeterRefused):
    """The meter has the register but not that value or range."""

    key = "value_refused"
    text = "The meter does not take this value for {code} ({message})."
    advice = "Check the form of the value in the meter's manual."


class NothingRecorded(MeterRefused):
    """The range that was asked for is empty."""

    key = "nothing_recorded"
    text = "The meter has nothing recorded for {code} ({message})."
    advice = "Ask for another range of time."


class AccessDenied(MeterRefused):
    """The register needs a higher access level than the one the session has (Std Annex D)."""

    key = "access_denied"
    text = "The meter refuses {code} with this password ({message})."
    advice = "It needs another password, or is kept for the meter's operator."


class PasswordNeeded(AccessDenied):
    """The register needs a password, and none was given."""

    key = "password_needed"
    text = "The meter wants a password for {code} ({message})."
    advice = "Enter the password of the meter; its operator knows it."


class SealedRegister(AccessDenied):
    """What the meter protects by its seal, a switch under its cover or a button: calibration, demand reset."""

    key = "sealed_register"
    text = "The meter protects {code} by its seal or by a button ({message})."
    advice = "Only its operator can change this, at the meter itself."


class LoginError(MeterError):
    """The meter did not let us in; what is readable without a password still is."""

    key = "login_error"
    text = "The meter did not accept the login."
    advice = "What can be read without a password is read all the same."


class PasswordRefused(LoginError):
    """The meter refused the password. It is not tried again: some meters lock after a few."""

    key = "password_refused"
    text = "The meter refused the password."
    advice = "Enter the right one; a few wrong ones may lock the meter's port for a while."


class LockedOut(LoginError):
    """The meter accepts no password for a while."""

    key = "locked_out"
    text = "The meter accepts no password at present: it is locked ({message})."
    advice = (
        "Wait until it is free again, without another try: a minute with some, a day with others."
    )


class LoginUnanswered(LoginError):
    """Nothing came in answer to the password, or the meter did not understand it: whether it was right is not known."""

    key = "login_unanswered"
    text = "The meter's answer to the password did not arrive."
    advice = "Move the probe until it sits well, then try again."


class LoginDamaged(LoginUnanswered):
    """The answer to the password came damaged, or was drowned by our own words coming back damaged."""

    key = "login_damaged"
    text = "What came back after the password was damaged, so whether it was right is not known."
    advice = (
        "Move the probe until it sits well and reflects nothing of its own light, then try again."
    )


class SecretNeeded(LoginError):
    """The meter wants an answer computed in a way that only its maker knows."""

    key = "secret_needed"
    text = "This meter wants an answer that is computed with its maker's secret."
    advice = "Only the maker's own software can log in; read what needs no password."


class OperandRepeated(LoginError):
    """The meter sent an operand again that was answered before: somebody may be listening for the same answer."""

    key = "operand_repeated"
    text = "The meter asked twice with the same number, and it is never answered twice."
    advice = "Try again later; if it stays, this meter cannot be logged in to safely."


class BadSecret(LoginError, ValueError):
    """A password that cannot be sent, or from which no answer can be computed."""

    key = "bad_secret"
    reasons = Secret
    text = "This password cannot be used with the meter: {why}."
    advice = "Check its length and its characters."


class NotPermitted(MeterError):
    """Something was to be changed that nobody allowed; nothing was sent."""

    key = "not_permitted"
    text = "{code} may not be changed: it is not on the list of this meter."
    advice = "Allow it in the options of the meter first."


class NotThisMeter(MeterError):
    """A secret or a change is for one meter, and another one answered, or one that does not show which it is."""

    key = "not_this_meter"
    text = "The meter that answered ({meter}) got neither a password nor a change: nothing shows that it is the one set up here."
    advice = "Check which meter the probe sits on; if the meter was replaced, read it and answer the question under Repairs."


class ReadingTooOld(NotThisMeter):
    """A meter that does not tell its number is to be changed, and it may have been replaced since its last reading."""

    key = "reading_too_old"
    text = "The meter {meter} got neither a password nor a change: it does not tell its number without a password, and its last reading is too old."
    advice = "Read the meter, then try again."


class ClockUnknown(MeterError):
    """The meter shows its clock in a form that cannot be written back safely."""

    key = "clock_unknown"
    text = "The clock of this meter cannot be set: its form is not known."
    advice = "Send the diagnostics with a report, so that it can be learned."


class BadKeyFile(MeterError):
    """The file with password and keys cannot be used; the command line's alone."""

    key = "bad_key_file"
    text = "The file {name} cannot be used: {why}."
    advice = "docs/mode_e.md says what stands in it."


class DlmsError(MeterError):
    """Anything that goes wrong in mode E, behind the sign-on."""

    key = "dlms_error"
    text = "The meter could not be read in its binary mode."


class SevenBits(DlmsError):
    """The line carries seven bits of each character: mode E needs all eight."""

    key = "seven_bits"
    text = "The line {port} is fixed to 7 data bits and cannot carry the binary mode (E)."
    advice = "Set the bridge to 8 data bits without parity (8N1); the other modes work with it too."


class BinaryRefused(DlmsError):
    """The meter answered the wish for mode E with its readout, or would not be asked."""

    key = "binary_refused"
    text = "The meter {meter} did not change to its binary mode (E)."
    advice = "Choose the automatic mode, or mode C."


class HdlcSilent(DlmsError):
    """No frame came in answer."""

    key = "hdlc_silent"
    text = "The meter does not answer in binary mode (HDLC)."
    advice = "Check the client and server address, and that the line carries eight bits."


class HdlcRefused(DlmsError):
    """The meter answered, but sets up no link: it sent DM or FRMR."""

    key = "hdlc_refused"
    text = "The meter refuses a connection in binary mode (HDLC)."
    advice = "Another client may be connected: wait two minutes. Then check the client address."


class HdlcLost(DlmsError):
    """The link broke in the middle, or frames went missing and did not come again."""

    key = "hdlc_lost"
    reasons = Lost
    text = "The connection in binary mode broke: {why}."
    advice = "The reading is tried again; move the probe if it happens often."


class DlmsMalformed(DlmsError):
    """What the meter sent is not what DLMS allows: cut short, too deep, too long, of an unknown form."""

    key = "dlms_malformed"
    text = "The meter sent an answer that cannot be understood ({why})."
    advice = "The reading is tried again; if it stays, send the diagnostics with a report."


class DlmsUnsent(DlmsError, ValueError):
    """A request that cannot be expressed, or that this meter cannot take."""

    key = "dlms_unsent"
    reasons = Unsent
    text = "The request cannot be sent: {why}."
    advice = "Check the register and the value."


class AssociationRefused(DlmsError):
    """The meter does not associate, for a reason that is no wrong password."""

    key = "association_refused"
    reasons: ClassVar[type[Reason] | tuple[()]] = Association
    text = "The meter refuses the association: {why}."
    advice = "Check the client address and the security level."


class AuthenticationRefused(AssociationRefused, LoginError):
    """The meter does not take the password, the key, or the security level (diagnostics 11 to 14)."""

    key = "authentication_refused"
    reasons = Authentication
    text = "The meter refuses the login: {why}."
    advice = "Check the password or key and the security level; do not try often, it may lock."


class ServiceRefused(DlmsError):
    """The meter answered a whole request with an exception; `counter` is the next one it accepts, if it says so."""

    key = "service_refused"
    reasons = Service
    text = "The meter refuses the request: {why}."
    advice = "This meter may not offer the service at this security level."

    def __init__(self, *, counter: int | None = None, **placeholders: str) -> None:
        """Keep the invocation counter the meter expects."""
        self.counter = counter
        super().__init__(**placeholders)


class SecurityBroken(DlmsError, LoginError):
    """An answer that a meter with the right keys would not give: the association ends."""

    key = "security_broken"
    reasons = Security
    text = "The meter's answer is not secure: {why}."
    advice = "Check the keys. If they are right, something on the line may be changing the data."


class CounterExhausted(DlmsError):
    """No invocation counter is left, or none was stored for use."""

    key = "counter_exhausted"
    reasons: ClassVar[type[Reason] | tuple[()]] = Counter
    text = "No message can be encrypted: {why}."
    advice = "The meter needs a new key; ask its operator."


class NotWritten(MeterError):
    """What must survive a crash before something is sent is not on disk."""

    key = "not_written"
    text = "Nothing was sent: what must be kept of it could not be written to the disk."
    advice = "Make room on the disk; it is tried again."


class CounterUnkept(CounterExhausted):
    """It cannot be seen to that no invocation counter is used twice."""

    key = "counter_unkept"
    reasons = Unkept
    advice = "Make room on the disk; if the file .storage/iec62056.counters is damaged, restore it from a backup, or delete it."
