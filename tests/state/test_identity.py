"""Who a meter is."""

import pytest

from custom_components.iec62056.protocol.model import Identification, Medium, Register
from custom_components.iec62056.state.identity import Identity, plain

from ..common.bench import register


def ident(flag: str, model: str = "X1") -> Identification:
    return Identification(f"/{flag}5{model}", flag, "5", (), model)


def sent(medium: Medium = Medium.ELECTRICITY, /, **addresses: str) -> list[Register]:
    return [register(address, text, medium=medium) for address, text in addresses.items()]


def of(flag: str, registers: dict[str, str], medium: Medium = Medium.ELECTRICITY) -> Identity:
    return Identity.of(ident(flag), sent(medium, **registers))


@pytest.mark.parametrize(
    ("registers", "number", "code"),
    [
        ({"0.0.1": "11111112", "0.0.0": "22222221", "C.1.0": "33333332"}, "33333332", "0-0:96.1.0"),
        ({"C.1": "33333332"}, "33333332", "0-0:96.1.0"),
        ({"0-0:96.1.0*255": "33333332"}, "33333332", "0-0:96.1.0"),
        ({"0.0.1": "11111112", "0.0.0": "22222221"}, "22222221", "1-0:0.0.0"),
        ({"0.0": "22222221        "}, "22222221", "1-0:0.0.0"),
        ({"1-1:0.0.0": "   22222221"}, "22222221", "1-1:0.0.0"),
        ({"0.0.0": "00000000", "0.0.1": "1ABC0012345678"}, "1ABC0012345678", "1-0:0.0.1"),
        ({"0.0.0": "", "0.0.1": "11111112"}, "11111112", "1-0:0.0.1"),
        ({"C.1.0": "--------", "0.0.0": "22222221"}, "22222221", "1-0:0.0.0"),
        # A bus address, or a number cut short: more than one meter has it.
        ({"0.0.0": "400"}, None, None),
        ({"0.0.0": " 20000"}, None, None),
        # The meter behind an M-Bus channel is another one.
        ({"0-1:96.1.0": "77777771", "1.8.0": "1"}, None, None),
        ({"0-1:96.1.0": "77777771", "0-0:96.1.1": "88888881"}, "88888881", "0-0:96.1.1"),
        # A stored number is not the present one.
        ({"C.1.0*01": "33333332"}, None, None),
        ({"1.8.0": "123456.7"}, None, None),
    ],
)
def test_number(registers: dict[str, str], number: str | None, code: str | None) -> None:
    identity = of("LGZ", registers)
    assert (identity.number, identity.number_code) == (number, code)
    assert identity.unique_id == (None if number is None else f"LGZ_{number}")


def test_ultraheat_is_named_by_its_own_number_never_by_its_owner() -> None:
    """9.21 is the customer's, and 0.0 repeats it: two meters of one owner may have the same."""
    registers = {"6.8": "0029.055*MWh", "9.21": "00010213", "9.20": "64030874", "0.0": "00010213"}
    assert of("LUG", registers, Medium.HEAT).unique_id == "LUG_64030874"
    assert of("SIE", registers, Medium.HEAT).unique_id == "SIE_64030874"
    del registers["9.20"]
    assert of("LUG", registers, Medium.HEAT).unique_id is None


def test_other_heat_meters_are_named_by_their_address() -> None:
    assert of("KAM", {"0.0": "00005077354"}, Medium.HEAT).unique_id == "KAM_00005077354"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4B384547303034303436333935353037", "K8EG004046395507"),
        ("204B413655303031363630323937393132", "KA6U001660297912"),
        ("3031323334353637", "01234567"),
        # Digits that are no characters: the number as it stands.
        ("1095100000067865", "1095100000067865"),
        ("621848012D2C0B0C", "621848012D2C0B0C"),
        ("0000000000000000", "0000000000000000"),
        # Too short to be characters in hexadecimal.
        ("30313233", "30313233"),
        ("  12 34\0", "12 34"),
        ("", ""),
    ],
)
def test_text_is_decoded_and_stripped(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_number_in_hexadecimal_is_the_number() -> None:
    assert (
        of("KFM", {"0-0:96.1.1": "4B384547303034303436333935353037"}).number == "K8EG004046395507"
    )


def test_reaction_time_is_no_part_of_the_make() -> None:
    assert of("ISk", {"C.1.0": "12345678"}).unique_id == of("ISK", {"C.1.0": "12345678"}).unique_id
    assert of("ISk", {}).make == "Iskraemeco"


@pytest.mark.parametrize(
    ("flag", "model", "number", "name"),
    [
        ("LGZ", "ZMF100AC.M26", "12345678", "Landis+Gyr ZMF100AC.M26"),
        # Makes that append the number to the model.
        ("LUN", "LUN669205929", "669205929", "Luna LUN"),
        ("SAT", "EM72000656621", "EM72000656621", "Satec"),
        # Makes that write their own name, or their firmware, where the model stands.
        ("KFM", "Kaifa MA309M", "12345678", "Kaifa MA309M"),
        ("KFM", "KaifaMA309M", "12345678", "Kaifa KaifaMA309M"),
        ("ELS", "V9.30", "12345678", "Elster"),
        ("QQQ", "", "12345678", "QQQ"),
        ("123", "4567890123", "12345678", "4567890123"),
        ("123", "", "12345678", "Meter"),
    ],
)
def test_name(flag: str, model: str, number: str, name: str) -> None:
    assert Identity.of(ident(flag, model), sent(**{"0.0.0": number})).name == name


def test_meter_without_identification_still_has_its_number() -> None:
    identity = Identity.of(None, sent(**{"0.0.0": "12345678", "0.2.0": " V1.2 "}))
    assert identity.unique_id == "unknown_12345678"
    assert identity.firmware == "V1.2"
    assert (identity.make, identity.model, identity.name) == (None, None, "Meter")


def test_register_without_values_names_nothing() -> None:
    assert Identity.of(ident("LGZ"), [register("C.1.0")]).number is None


def test_second_digit_of_the_speed_is_no_model() -> None:
    assert Identity.of(ident("MSY", "<1>C500.KMY.2556"), ()).name == "Makel C500.KMY.2556"


def test_numbered_name() -> None:
    assert of("LUG", {"9.20": "64030874"}, Medium.HEAT).numbered_name == "Landis+Gyr X1 0874"
    assert Identity(flag="LUG").numbered_name == "Landis+Gyr"
