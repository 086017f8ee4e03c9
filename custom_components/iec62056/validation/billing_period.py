"""What the other registers of a reading say of the total of a billing period: whether that has ended."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from ..protocol.model import Obis
from ..state.meter_state import RegisterState
from .candidate import Candidate
from .register_history import RegisterHistory
from .register_value import RegisterValue

# How many periods have ended, and when the last one did.
_ENDS = (0, 1, 0), (0, 1, 2)
# Value group D of a total that no period ends: time integral 1.
_SINCE_BEGINNING = 8


def beside_others(
    candidate: Candidate,
    value: RegisterValue,
    values: Iterable[RegisterValue],
    known: Mapping[str, RegisterState],
    *,
    before: Mapping[str, RegisterHistory],
    after: Mapping[str, RegisterHistory],
    good: Container[str],
) -> Candidate:
    """The total with the signs of the others, as far as these are `good`.

    `known` are the published registers, the histories are those before and after this reading.
    """
    if (code := value.register.obis) is None:
        return candidate
    now = {one.key: one for one in values if one.key in good}
    ends = {str(Obis(code.a, code.b, *group)) for group in _ENDS}
    totals = {str(replace(code, d=_SINCE_BEGINNING, e=e)) for e in (code.e, 0)}
    risen = [
        number - last
        for key in totals & now.keys() & before.keys() & after.keys()
        if now[key].description.unit == value.description.unit
        if (number := after[key].number) is not None and (last := before[key].number) is not None
    ]
    return replace(
        candidate,
        period_ended=any(
            known[key].register.values != now[key].register.values
            for key in ends & now.keys() & known.keys()
        ),
        risen=min(risen, default=None),
    )
