"""Mode E: the sign-on of IEC 62056-21, then sessions of DLMS/COSEM."""

from dataclasses import replace

from .ascii.handover import Handover
from .ascii.sign_on import WHOLE_EFFORT, RetryPolicy, SessionContext
from .dlms.dlms_session import DlmsSession
from .dlms.link import farewell
from .dlms.login import DlmsLogin, Keyring, server_address
from .dlms.opening import open_at_once
from .dlms.session import Session
from .errors import MeterError
from .model import (
    CheckKind,
    Health,
    Identification,
    LineProfile,
    Medium,
    Mode,
    ProgressCallback,
    Reading,
    Register,
    Verdict,
)
from .register_session import NOTHING, Permits
from .transport.line import Line


class ModeEMeter:
    """One meter of mode E on one open line."""

    def __init__(
        self,
        line: Line,
        profile: LineProfile,
        keyring: Keyring,
        progress: ProgressCallback | None = None,
        *,
        effort: RetryPolicy = WHOLE_EFFORT,
    ) -> None:
        """Nothing is sent yet. Raises DlmsUnsent where the profile names an address that is none."""
        self._line = line
        self._progress = progress
        end = farewell(keyring.logins[-1].client, server_address(profile))
        self._handover = Handover(SessionContext(line, profile, progress, effort), farewell=end)
        self._session = Session(line, profile, keyring, self._open, progress=progress)

    @property
    def profile(self) -> LineProfile:
        """What is known of the meter."""
        return self._handover.profile

    @profile.setter
    def profile(self, profile: LineProfile) -> None:
        self._handover.profile = profile

    @property
    def wake_ups(self) -> int:
        """How often the meter was woken up for this."""
        return self._handover.wake_ups

    @property
    def refusal(self) -> MeterError | None:
        """Why a login was not taken; what the others may read was read all the same."""
        return self._session.refusal

    async def _open(self) -> Identification | None:
        if self.profile.hdlc_at_once:
            await open_at_once(self._line, self.profile)
            return None
        return await self._handover.begin()

    async def read_all(self) -> Reading:
        """Everything the meter tells at the levels of the keyring. Raises MeterError."""
        line, session = self._line, self._session
        start, before, received = line.now(), line.tally.copy(), line.utcnow()
        repeats = session.repeats
        found = await session.read_all()
        count = line.tally.since(before)
        self._learn(found)
        return Reading(
            identification=session.identification,
            registers=found,
            received=received,
            health=Health(
                check=Verdict.RIGHT,
                check_kind=CheckKind.CRC16,
                parity=line.tally.parity,
                parity_errors=count.wrong,
                characters=count.characters,
                retries=session.repeats - repeats,
                echo=count.echoed > 0 or session.echo,
                duration=line.now() - start,
                speed=line.speed,
                mode=Mode.E,
                late_switches=count.late_switches,
            ),
            unparsed=tuple(
                f"{about}: {error.placeholders.get('why') or error.placeholders['message']}"
                for about, error in session.unread.items()
            ),
            withheld="" if session.withheld is None else str(session.withheld),
        )

    def conversation(
        self, permits: Permits = NOTHING, login: DlmsLogin | None = None
    ) -> DlmsSession:
        """A session that stays open, by that login or the best there is: nothing is sent before it is opened."""
        self._session.begin()
        return DlmsSession(self._session, permits, login)

    def _learn(self, found: tuple[Register, ...]) -> None:
        medium = self.profile.medium or next(
            (
                Medium(register.obis.a)
                for register in found
                if register.obis is not None and register.obis.a and register.obis.a in Medium
            ),
            Medium.ELECTRICITY,
        )
        line = self._line
        refused = self._handover.profile.refused_speed
        profile = replace(self.profile, mode=Mode.E, medium=medium, refused_speed=refused)
        if line.can_switch and line.speed != profile.sign_on_speed:
            profile = replace(profile, speed=line.speed)
        self.profile = profile
