"""How often registers can be read in a kept session: what the characters and both reactions allow.

Here: pure arithmetic on lengths, speeds and times (Std 5, 6.3.14 item 12, 6.4.7).
Never here: the conversation, who else wants the line.
"""

from collections.abc import Sequence

_BITS = 10
# SOH, two of the command, STX, two brackets, ETX, check; STX, ETX, check.
_COMMAND = 8
_ANSWER = 3
# Two brackets and a line end, and the line end of its answer: what another register costs in the same command.
_MORE = 6
# A register as it comes back: `1.7.0(00.142*kW)`.
_USUAL = 16


def rounds_per_second(
    codes: Sequence[str],
    speed: int,
    own: float,
    meter: float | None = None,
    *,
    together: int = 1,
    lengths: Sequence[int] = (),
) -> float:
    """The most rounds a second in which all `codes` can be read one after the other; 0 for none.

    `speed` in baud; `own` is the shortest time in seconds before the client may speak, the identification's
    `reaction_time`; `meter` the time the meter takes to answer, where it was measured, else the same. `together`: how
    many registers one command asks for. `lengths`: how many characters each answer has between STX and ETX, where it is
    known.
    """
    if not codes:
        return 0.0
    waits = own + (own if meter is None else meter)
    turns = -(-len(codes) // together)
    frames = turns * (_COMMAND + _ANSWER) + (len(codes) - turns) * _MORE
    characters = frames + sum(map(len, codes)) + (sum(lengths) or _USUAL * len(codes))
    return 1 / (turns * waits + characters * _BITS / speed)
