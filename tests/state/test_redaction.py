"""What may be published."""

from hypothesis import given, strategies as st
import pytest

from custom_components.iec62056.state.redaction import mask, redact, secrets_of

from ..common.bench import NUMBER, reading, register

CODED = "4B384547303034303436333935353037"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C.1.0(34567812)", "C.1.0(99999999)"),
        ("0-0:C.1.0*255(34567812)", "0-0:C.1.0*255(99999999)"),
        ("0.0(  12AB34  )", "0.0(  99XX99  )"),
        ("1-0:0.0.0*255(1ESY1160142770)", "1-0:0.0.0*255(9XXX9999999999)"),
        ("0-0:96.1.1(ADC3100000158491)", "0-0:96.1.1(AAA9999999999999)"),
        ("9.21(66153690)9.20(66153691)", "9.21(99999999)9.20(99999999)"),
        ("9.6(000&66153690&0&R)", "9.6(999&99999999&9&X)"),
        # Two brackets, and one that is cut off.
        ("0.0.0(12345678)(AB-1", "0.0.0(99999999)(XX-9"),
        # A value is not a number of the meter, nor is another code that ends alike.
        ("1.8.0(034567.812*kWh)", "1.8.0(034567.812*kWh)"),
        ("1-0:10.0.0(1234567)", "1-0:10.0.0(1234567)"),
        ("96.10.0(12345678)", "96.10.0(12345678)"),
        ("/KMP5 KA6U001660297912\r\n", "/KMP5 KA6U999999999999\r\n"),
        ("/LGZ4\\2ZMD3102400.B31", "/LGZ4\\2ZMD3102400.B31"),
        ("/?34567812!\r\n", "/?99999999!\r\n"),
    ],
)
def test_numbers_are_masked_where_they_stand(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_text_in_hexadecimal_stays_text_in_hexadecimal() -> None:
    masked = redact(f"0-0:96.1.1({CODED})")[11:-1]
    assert bytes.fromhex(masked) == b"X9XX999999999999"


def test_known_numbers_are_masked_everywhere() -> None:
    secrets = secrets_of([register("9.20", "66153690"), register("0-0:96.1.1", CODED)])
    assert redact("9.9(000&66153690&0)", secrets) == "9.9(000&99999999&0)"
    assert "K8EG004046395507" in secrets
    assert redact(f"x({CODED.lower()})", secrets) != f"x({CODED.lower()})"
    assert redact("(3636313533363930)", secrets) == "(3939393939393939)"


def test_what_is_no_secret() -> None:
    registers = [register("0.0.1", "400"), register("0.0.0", "00000000"), register("1.8.0", "7.5")]
    assert not secrets_of(registers)


def test_whole_telegram() -> None:
    sent = reading().raw.decode()
    masked = redact(sent, secrets_of(reading().registers))
    assert NUMBER not in masked
    assert len(masked) == len(sent)
    assert masked.replace("99999999", NUMBER) == sent


@given(st.text(st.sampled_from("0123456789ABCDEFabxz.:-()*&/ \r\n"), max_size=200))
def test_length_and_class_stay(text: str) -> None:
    for masked in (redact(text), mask(text)):
        assert len(masked) == len(text)
        for before, after in zip(text, masked, strict=True):
            assert before.isdigit() == after.isdigit() or set(text) & set("abcdefABCDEF")
            assert before.isalnum() == after.isalnum()
            assert before.isalnum() or before == after


@given(
    st.text(st.sampled_from("0123456789ABCDEFabcdef \0\t-xyz\xe9"), max_size=40),
    st.sampled_from(["", "\0", " \0\0", "\n"]),
)
def test_a_mask_keeps_the_length_whatever_stands_around_the_number(text: str, around: str) -> None:
    whole = around + text + around
    assert len(mask(whole)) == len(whole)
    assert len(redact(f"0.0.0({whole})\r\n1.8.0(17*kWh)")) == len(whole) + 22


@pytest.mark.parametrize("number", ["12345678", CODED])
def test_number_padded_with_nul(number: str) -> None:
    masked = redact(f"0.0.0({number}{chr(0) * 4})")
    assert number[:4] not in masked
    assert masked.endswith(chr(0) * 4 + ")")
