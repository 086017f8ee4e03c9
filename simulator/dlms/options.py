"""Mode E on the command line: options → a device and its manners."""

import argparse

from ..manners import Manners
from ..meter import Content
from .device import Device
from .meter import BinaryManners, BinaryMeter
from .policy import KEY, PASSWORD, Login
from .push import AUTHENTICATION_KEY, KEY as PUSH_KEY, MAKES, PushMeter
from .things import Thing, household, name
from .values import scaler_unit, u32

_MECHANISMS = {"aes": 2, "md5": 3, "sha1": 4, "gmac": 5, "sha256": 6}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The group of mode E."""
    group = parser.add_argument_group("mode E")
    group.add_argument("--mode-e", action="store_true", help="HDLC and DLMS/COSEM")
    group.add_argument("--hdlc", action="store_true", help="at once, without a sign-on")
    group.add_argument("--no-readout", action="store_true", help="nothing in mode C")
    group.add_argument(
        "--unannounced", action="store_true", help="without \\2 in its identification"
    )
    group.add_argument("--info", type=int, default=128, help="octets of an information field")
    group.add_argument("--window", type=int, default=1, help="frames in one turn")
    group.add_argument("--block", type=int, default=0xFFFF, help="longer answers go in blocks")
    group.add_argument("--objects", type=int, default=0, help="at least so many objects")
    group.add_argument("--low", default="", metavar="PASSWORD", help="of client 1")
    group.add_argument("--high", choices=_MECHANISMS, help="mechanism of client 2")
    group.add_argument("--high-secret", default="a shared secret", help="of client 2")
    group.add_argument("--protected", action="store_true", help="registers need the password")
    group.add_argument(
        "--push", choices=MAKES, help="sends DLMS by itself, as meters of that kind do"
    )


def binary_meter(options: argparse.Namespace, content: Content, manners: Manners) -> BinaryMeter:
    """The device that the options describe."""
    device = Device([])
    device.policy.block = options.block
    if options.low:
        device.logins[1] = Login(PASSWORD, 1, options.low.encode("utf-8"))
    if options.high:
        mechanism = _MECHANISMS[options.high]
        secret = options.high_secret.encode("utf-8")
        device.logins[2] = Login(KEY, mechanism, secret, ciphered=mechanism == 5)
    device.things = household(
        content.block,
        counter=lambda: max(0, device.seen - 1),
        level=PASSWORD if options.protected else 0,
    )
    for number in range(options.objects - len(device.things)):
        code = f"1-1:{number // 100 + 1}.8.{number % 100}"
        device.things.append(Thing(3, name(code), {2: u32(number), 3: scaler_unit(0, 30)}))
    return BinaryMeter(
        content,
        device,
        manners,
        binary=BinaryManners(
            size=options.info,
            window=options.window,
            announced=not options.unannounced,
            at_once=options.hdlc,
            reads_out=not options.no_readout,
            reaction=manners.reaction,
        ),
    )


def push_meter(options: argparse.Namespace, content: Content) -> PushMeter:
    """The meter that pushes by itself."""
    return PushMeter(content, MAKES[options.push])


def push_keys() -> str:
    """What its key file holds."""
    return (
        f'encryption_key = "{PUSH_KEY.hex().upper()}"\n'
        f'authentication_key = "{AUTHENTICATION_KEY.hex().upper()}"'
    )
