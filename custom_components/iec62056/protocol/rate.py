"""How often registers can be read in a kept session: what the characters and both reactions allow.

Here: pure arithmetic on lengths, speeds and times (Std 5, 6.3.14 item 12, 6.4.7).
Never here: the conversation, who else wants the line.
"""

from collections.abc import Sequence

_BITS = 10
# SOH, two of the command, STX, two brackets, ETX, check; STX, ETX, check.
_COMMAND = 8
_ANSWER = 3
# A register as it comes back: `1.7.0(00.142*kW)`.
_USUAL = 16


def rounds_per_second(
    codes: Sequence[str],
    speed: int,
    own: float,
    meter: float | None = None,
    lengths: Sequence[int] = (),
) -> float:
    """The most rounds a second in which all `codes` can be read one after the other; 0 for none.

    `speed` in baud; `own` is the shortest time in seconds before the client may speak, the identification's
    `reaction_time`; `meter` the time the meter takes to answer, where it was measured, else the same. `lengths`: how
    many characters each answer has between STX and ETX, where it is known.
    """
    if not codes:
        return 0.0
    waits = own + (own if meter is None else meter)
    answers = lengths or [_USUAL] * len(codes)
    characters = sum(
        _COMMAND + len(code) + _ANSWER + answer for code, answer in zip(codes, answers, strict=True)
    )
    return 1 / (len(codes) * waits + characters * _BITS / speed)
