"""What a meter said of its objects, so that it is asked once: object lists by login, scalers, what it cannot do.

Here: these values, and the plain data they are stored as. Pure.
Never here: storage; when they are read (`session`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .cosem import AttributeAccess, CosemObject, Rights, ScalerUnit
from .descriptors import LogicalName
from .objects import codes

type Objects = tuple[CosemObject, ...]

# More than any meter has: what is stored may have been changed by hand.
_MOST = 4096


@dataclass(slots=True)
class ObjectCache:
    """`mark` is what tells one device and configuration from another: values of its own name, firmware and settings.

    `lists`: the object list by the name of a login. `scalers`: scaler and unit by class and logical name. `singly`: the
    meter takes no list in a GET, whatever it grants.
    """

    mark: dict[str, str] = field(default_factory=dict)
    lists: dict[str, Objects] = field(default_factory=dict)
    scalers: dict[str, ScalerUnit] = field(default_factory=dict)
    singly: bool = False

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
        self.scalers.clear()
        self.singly = False

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "mark": dict(self.mark),
            "lists": {name: [_plain(item) for item in items] for name, items in self.lists.items()},
            "scalers": {name: [item.scaler, item.unit] for name, item in self.scalers.items()},
            "singly": self.singly,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What `as_dict` wrote; nothing where it is something else."""
        try:
            return cls(
                mark={str(name): str(text) for name, text in data["mark"].items()},
                lists={
                    str(name): tuple([_object(item) for item in items[:_MOST]])
                    for name, items in data["lists"].items()
                },
                scalers={
                    str(name): ScalerUnit(int(scaler), int(unit))
                    for name, (scaler, unit) in data["scalers"].items()
                },
                singly=bool(data["singly"]),
            )
        except KeyError, TypeError, ValueError, AttributeError, IndexError:
            return cls()


def place(item: CosemObject) -> str:
    """What an object is called here: class and logical name."""
    return f"{item.class_id}:{bytes(item.name).hex()}"


def _plain(item: CosemObject) -> list[Any]:
    attributes = {
        str(number): [int(access.rights), sorted(access.selectors)]
        for number, access in item.attributes.items()
    }
    methods = {str(number): int(rights) for number, rights in item.methods.items()}
    return [item.class_id, item.version, bytes(item.name).hex(), attributes, methods]


def _object(data: list[Any]) -> CosemObject:
    class_id, version, name, attributes, methods = data
    octets = bytes.fromhex(name)
    if len(octets) != 6:
        raise ValueError(name)
    return CosemObject(
        int(class_id),
        int(version),
        LogicalName(*octets),
        {
            int(number): AttributeAccess(Rights(rights), frozenset(selectors))
            for number, (rights, selectors) in attributes.items()
        },
        {int(number): Rights(rights) for number, rights in methods.items()},
    )
