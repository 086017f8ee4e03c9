"""What a meter said of its objects, to be asked only once: object lists by login, scalers, what it cannot do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .cosem import ASSOCIATION, CURRENT_ASSOCIATION, CosemObject, ScalerUnit
from .descriptors import Member
from .objects import codes

# Where the association of short names is in every meter.
_SHORT_ASSOCIATION = 0xFA00

type Objects = tuple[CosemObject, ...]


@dataclass(slots=True)
class ObjectCache:
    """What is known of the objects of one device."""

    # Its name, firmware and settings: they tell one device and configuration from another.
    mark: dict[str, str] = field(default_factory=dict)
    # The object list by the name of a login.
    lists: dict[str, Objects] = field(default_factory=dict)
    # Of the standard's objects, those that a meter without a list has, by the name of a login.
    standard: dict[str, Objects] = field(default_factory=dict)
    # By class and logical name.
    scalers: dict[str, ScalerUnit] = field(default_factory=dict)
    # The meter takes no list in a GET, whatever it grants.
    singly: bool = False
    # The meter knows short names only, and those of its objects: where their attributes begin.
    short_names: bool = False
    base_names: dict[str, int] = field(default_factory=dict)
    # How long the meter keeps a link in which nothing is said, in seconds (0.0.22.0.0, attribute 8: 120 by default).
    inactivity: float = 120.0
    # Attributes that are asked last and each by itself, with how often the meter fell silent when it was asked for them.
    alone: dict[str, int] = field(default_factory=dict)
    # Attributes that are not asked for before that time, in POSIX seconds.
    skipped: dict[str, float] = field(default_factory=dict)

    def find(self, code: str, *logins: str) -> CosemObject | None:
        """The object behind the code of a register, by the lists of those logins."""
        listed = (item for login in logins for item in self.lists.get(login, ()))
        return next((item for item in listed if code in codes(item)), None)

    def differs(self, mark: Mapping[str, str]) -> bool:
        """Whether that is the mark of another device or configuration, as far as both name the same."""
        return any(self.mark.get(name, text) != text for name, text in mark.items())

    def forget(self) -> None:
        """Another device, or another configuration: everything is asked anew."""
        self.mark.clear()
        self.lists.clear()
        self.standard.clear()
        self.scalers.clear()
        self.base_names.clear()
        self.singly = False
        self.alone.clear()
        self.skipped.clear()

    def short_name(self, member: Member) -> int | None:
        """The short name of an attribute: eight octets after the one before it (Blue Book 4.1.2)."""
        current = (member.class_id, member.name) == (ASSOCIATION, CURRENT_ASSOCIATION)
        base = _SHORT_ASSOCIATION if current else self.base_names.get(place(member))
        return None if base is None else base + 8 * (member.number - 1)


def place(item: CosemObject | Member) -> str:
    """What an object is called here: class and logical name."""
    return f"{item.class_id}:{bytes(item.name).hex()}"


def attribute_place(member: Member) -> str:
    """What an attribute is called here."""
    return f"{place(member)}:{member.number}"
