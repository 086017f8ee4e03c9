"""What a meter said of its objects, so that it is asked once: object lists by login, scalers, what it cannot do.

Here: these values, and the plain data they are stored as. Pure.
Never here: storage; when they are read (`session`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .cosem import CosemObject, ScalerUnit
from .objects import codes

type Objects = tuple[CosemObject, ...]


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


def place(item: CosemObject) -> str:
    """What an object is called here: class and logical name."""
    return f"{item.class_id}:{bytes(item.name).hex()}"
