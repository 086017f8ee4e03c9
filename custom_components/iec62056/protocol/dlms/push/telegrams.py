"""One pushed message, understood: opened with the key, and its registers."""

from dataclasses import dataclass, field

from ...model import CheckKind, Identification, Register, Value, Verdict
from .ciphering import Opened, PushKeys, Sealed
from .makes import flag_of
from .messages import Carrier, Message
from .notification import DATA_NOTIFICATION, is_p1, notification
from .registers import DEVICE_NAME, Origin, flag_of_list, registers

_CHECKS = {
    Carrier.HDLC: CheckKind.CRC16,
    Carrier.MBUS: CheckKind.SUM,
    Carrier.BARE: CheckKind.NONE,
}


@dataclass(frozen=True, slots=True)
class Telegram:
    """What one push holds: registers, or a P1 telegram as `text`.

    `title` and `counter` are those of a ciphered one, `flag` tells the make. `check` is RIGHT where the frames or the tag prove that it
    arrived as it was sent.
    """

    registers: tuple[Register, ...]
    check: Verdict
    check_kind: CheckKind
    title: bytes = field(default=b"", repr=False)
    counter: int | None = None
    text: bytes = field(default=b"", repr=False)
    flag: str = ""

    @property
    def identification(self) -> Identification | None:
        """The meter by its system title, else by its logical device name; None where nothing tells its make."""
        name = self.title.hex().upper()
        flag = flag_of(self.title)
        if not name:
            named = (one.values[0] for one in self.registers if one.obis == DEVICE_NAME)
            name = next(named, Value("")).text
            flag = flag_of(name.encode("latin-1", "replace")) or self.flag
        return Identification(name, flag, "", (), "") if flag else None


def understand(message: Message, keys: PushKeys | None = None) -> Telegram | None:
    """What a message holds; None where it is no push.

    Raises PushKeyNeeded, PushKeyWrong, and DlmsMalformed where it is damaged or of an unknown form.
    """
    sealed = Sealed.read(message.apdu)
    opened = Opened(message.apdu) if sealed is None else sealed.open(keys, message.name)
    title = b"" if sealed is None else sealed.title
    checked = message.checked or opened.genuine
    check = Verdict.RIGHT if checked else Verdict.ABSENT
    kind = _CHECKS[message.carrier]
    counter = None if sealed is None else sealed.counter
    if is_p1(opened.plain):
        return Telegram((), check, kind, title, counter, opened.plain)
    if opened.plain[:1] != bytes((DATA_NOTIFICATION,)):
        return None
    pushed = notification(opened.plain)
    lower = None if message.to is None else message.to.lower
    origin = Origin(title, message.in_blocks, lower)
    found, flag = registers(pushed.elements, origin), flag_of_list(pushed.elements, origin)
    return Telegram(found, check, kind, title, counter, flag=flag)
