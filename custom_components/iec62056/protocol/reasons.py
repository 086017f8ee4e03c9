"""Reasons for an error whose sentence has several.

The name of a member is part of the key of the translation, its value stands in the English sentence.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why; what follows a colon."""


class Secret(Reason):
    """Why a password or a key cannot be used."""

    LONG = "it is longer than 32 characters"
    CHARACTERS = "it is empty or has characters that cannot be sent"
    NOT_EIGHT = "it has not eight characters"
    CLIENT = "the client address is not from 1 to 127"
    KEY_LENGTH = "a key has not 16 octets (32 hexadecimal digits)"
    KEY_DIGITS = "a key or title has other characters than 0 to 9 and A to F"
    TITLE_LENGTH = "the system title has not 8 octets (16 hexadecimal digits)"
    NO_KEYS = "the keys are missing"
    NO_PASSWORD = "the password is missing"  # noqa: S105
    SECRET_LENGTH = "the secret of this security level has more than 16 octets"  # noqa: S105


class Field(Reason):
    """Why a number, a code or a value cannot be sent."""

    LONG = "it is too long"
    CHARACTERS = "it has characters that are not printable 7-bit characters"
    FORBIDDEN = "it has a bracket, a slash, an asterisk or an exclamation mark"
    NUMBER = "only digits, letters and blanks may stand in it"
    REQUEST = "it is empty or has a blank"
    CODE = "it has not the form of one, as 1.8.0 or R5 1.8.0"
    COMMAND = "its command does not belong to what is to be done"


class Unsent(Reason):
    """Why a value or a request of mode E cannot be expressed."""

    ZERO_OR_ONE = "only 0 and 1 fit this register"
    FIXED = "a register of this type cannot be set"
    NO_NUMBER = "the value is no number"
    DECIMALS = "it has more decimals than the register"
    CHARACTERS = "it has characters that are no printable 7-bit characters"
    DIGITS = "it is not in hexadecimal digits"
    TYPE = "the value does not fit the type of the register"
    LONG = "it is longer than this meter takes"
    OBJECT = "there is no such object or attribute"
    SHORT_NAMES = "the registers of a meter with short names can only be read"


class Association(Reason):
    """Why a meter does not associate."""

    NONE = "it gives no reason"
    CONTEXT = "it does not know the kind of application context"
    CALLER = "it does not know the calling device"
    VERSION = "it cannot start, because the DLMS version is too low"
    CONFORMANCE = "it cannot start, because the conformance does not fit"
    SIZE = "it cannot start, because the PDU is too short"


class Authentication(Reason):
    """Why a meter does not take a login of mode E."""

    LEVEL_UNKNOWN = "it does not know the security level"
    LEVEL_NEEDED = "a security level is required"
    WRONG = "the password or key is wrong"
    HIGH_NEEDED = "high level security is required"
    UNDECIPHERED = "it could not decipher the message"


class Service(Reason):
    """Why a meter refuses a whole request."""

    UNSUPPORTED = "it is not supported"
    LONG = "the message is too long"
    COUNTER = "the invocation counter is wrong"
    NOT_ALLOWED = "the service is not allowed"
    UNKNOWN = "the service is unknown"


class Security(Reason):
    """Why an answer is not believed."""

    NO_PROOF = "it does not prove that it knows the secret"
    PROOF_SKIPPED = "it skips the proof of the high security level"
    LEVEL = "it changes the security level"
    PLAIN = "it leaves out the encryption"
    OTHERWISE = "it is not encrypted and authenticated as was agreed"
    CONTENT = "it is not what its envelope says"
    TITLE = "it comes from another system title"
    NO_TITLE = "the meter did not name its system title"
    CHECK = "its check does not fit the keys"
    OLD = "it came before, or out of turn"
    OWN_CHALLENGE = "its challenge is our own"
    CHALLENGE = "its challenge has not 8 to 64 octets"


class Answered(Reason):
    """How a meter protects its answers, which is less than was chosen."""

    AUTHENTICATED = "authentication only"
    ENCRYPTED = "encryption only"


class Lost(Reason):
    """Why a link of mode E ended."""

    SILENT = "the meter fell silent"
    CLOSED = "the meter has closed it"
    REJECTED = "the meter rejected a frame"
    FRAMES = "frames were lost again and again"
    ENDLESS = "the meter does not come to an end"
    BUSY = "the meter stays busy"
    SKIPPED = "the meter fell silent over it, so it is left out for a day"


class Counter(Reason):
    """Why there is no number left for an encrypted message."""

    END = "its counter has reached its end"


class Unkept(Reason):
    """Why a number for an encrypted message might be one that was used before."""

    UNWRITTEN = "its number could not be written to the disk"
    UNREADABLE = "the numbers that were used before cannot be read"


class PushKey(Reason):
    """Which key of a meter that pushes encrypted telegrams is wrong."""

    ENCRYPTION = "what comes out is no telegram"
    AUTHENTICATION = "the encryption key fits, the authentication key does not"
