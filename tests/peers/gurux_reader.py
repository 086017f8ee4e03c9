"""A process of its own: another implementation of DLMS/COSEM reads a meter behind a TCP port, and prints what it got.

    python -m tests.peers.gurux_reader PORT CLIENT MECHANISM WINDOW [--ciphered] [--short-names]

Its library is no part of the project, and is used here only to check the simulator. It is used as it is, but for the
numbers of frames where a window is longer than one. There the library (1.0.203) counts wrong: `GXDLMSSettings.checkFrame`
puts the number of the second frame of a window into a variable of its own (`ReceiverFrame`), so that it takes no third
one; and `getReceiverReady` and `getNextSend` acknowledge one frame of a window, however many came. By short names it reads no
blocks: it asks for the next one under the tag 00, where a ReadRequest has 05 (Green Book 9.5, COSEMpdu), and calls a
`setTotalCount` that its reply has not.
"""

import json
import socket
import sys
from typing import Any

from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms.enums import Authentication, InterfaceType, ObjectType, Security
from gurux_dlms.GXDLMSSettings import GXDLMSSettings
from gurux_dlms.secure import GXDLMSSecureClient

MECHANISMS = {
    0: Authentication.NONE,
    1: Authentication.LOW,
    2: Authentication.HIGH,
    3: Authentication.HIGH_MD5,
    4: Authentication.HIGH_SHA1,
    5: Authentication.HIGH_GMAC,
    6: Authentication.HIGH_SHA256,
}
SECRETS = {1: "12345678"}


class Numbers(GXDLMSSettings):  # type: ignore[misc]
    """N(S) and N(R) of IEC 62056-46 6.4.3, for windows of any length: frames follow one another, and all that came count."""

    receiverFrame: int  # noqa: N815
    senderFrame: int  # noqa: N815

    def checkFrame(self, frame_: int, xml: Any) -> bool:  # noqa: N802
        """Whether this frame is for us. There is no noise on this line: each comes once, in its order."""
        if frame_ & 1:
            return bool(super().checkFrame(frame_, xml))
        if frame_ >> 1 & 7 != self._next:
            raise RuntimeError(f"frame {frame_:02x} after {self.receiverFrame:02x}")
        self.receiverFrame = frame_
        return True

    def getReceiverReady(self) -> int:  # noqa: N802
        """The control octet of an RR."""
        return self._control(self.senderFrame & 0x0E | 1) & 0xF1

    def getNextSend(self, first: bool) -> int:  # noqa: N802
        """The control octet of the next information frame."""
        return self._control(self.senderFrame + 2 & 0x0E)

    @property
    def _next(self) -> int:
        return (self.receiverFrame >> 1) + 1 & 7

    def _control(self, rest: int) -> int:
        self.senderFrame = self._next << 5 | 0x10 | rest
        return self.senderFrame


class Refused(Exception):
    """The meter does not give it."""


class Meter:
    """The client's library on a socket."""

    def __init__(
        self,
        port: int,
        client: int,
        mechanism: int,
        window: int,
        *,
        ciphered: bool,
        short_names: bool,
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        secret = None if mechanism in (0, 5) else SECRETS.get(mechanism, "a shared secret")
        self.client: Any = GXDLMSSecureClient(
            not short_names, client, 1, MECHANISMS[mechanism], secret, InterfaceType.HDLC
        )
        ciphering = self.client.ciphering
        ciphering.systemTitle = bytearray(b"HAS\0\0\0\0\7")
        ciphering.blockCipherKey = bytearray(range(16))
        ciphering.authenticationKey = bytearray(range(0xD0, 0xE0))
        ciphering.invocationCounter = 1000
        if ciphered:
            ciphering.security = Security.AUTHENTICATION_ENCRYPTION
        self.client.hdlcSettings.windowSizeRX = window
        if window > 1:
            self.client.settings.__class__ = Numbers
        self.client.hdlcSettings.maxInfoRX = 256

    def exchange(self, request: bytes) -> Any:
        """One frame out, frames in until they make sense."""
        reply, notify = GXReplyData(), GXReplyData()
        self.socket.sendall(bytes(request))
        held = GXByteBuffer()
        while True:
            while held.available() and self.client.getData(held, reply, notify):
                if not reply.isMoreData():
                    return reply
                # Between the frames of a window nothing is said.
                if not reply.isStreaming():
                    held = GXByteBuffer()
                    self.socket.sendall(bytes(self.client.receiverReady(reply)))
            octets = self.socket.recv(4096)
            if not octets:
                raise ConnectionError
            held.set(octets)

    def all_of(self, requests: Any) -> Any:
        """Several requests, the answer to the last."""
        reply = None
        for request in requests if isinstance(requests, list) else [requests]:
            if request:
                reply = self.exchange(request)
                if reply.error:
                    raise Refused(reply.error)
        return reply

    def open(self) -> None:
        """The link and the association."""
        self.client.parseUAResponse(self.all_of(self.client.snrmRequest()).data)
        self.client.parseAareResponse(self.all_of(self.client.aarqRequest()).data)
        if self.client.isAuthenticationRequired:
            proof = self.client.getApplicationAssociationRequest()
            self.client.parseApplicationAssociationResponse(self.all_of(proof).data)

    def values(self) -> dict[str, str]:
        """Every value of every object that may be read."""
        self.client.parseObjects(self.all_of(self.client.getObjectsRequest()).data, True)
        found = {}
        for item in self.client.objects:
            if item.objectType not in (ObjectType.DATA, ObjectType.REGISTER):
                continue
            # The object list of short names tells no rights, and not all may be read.
            if self.client.useLogicalNameReferencing and not int(item.getAccess(2)) & 1:
                continue
            # The scaler first: the value is given with it.
            try:
                for number in (3, 2) if item.objectType == ObjectType.REGISTER else (2,):
                    reply = self.all_of(self.client.read(item, number))
                    value = self.client.updateValue(item, number, reply.value)
            except Refused:
                continue
            found[item.logicalName] = value.hex() if isinstance(value, bytes) else str(value)
        return found


def main() -> None:
    """Read, and print."""
    port, client, mechanism, window = map(int, sys.argv[1:5])
    meter = Meter(
        port,
        client,
        mechanism,
        window,
        ciphered="--ciphered" in sys.argv,
        short_names="--short-names" in sys.argv,
    )
    meter.open()
    print(json.dumps(meter.values()))
    meter.all_of(meter.client.disconnectRequest())


if __name__ == "__main__":
    main()
