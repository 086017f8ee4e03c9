"""Data sets: the grammar, what real meters make of it, and what damage may and may not cost."""

from collections.abc import Iterable

from hypothesis import example, given, strategies as st
import pytest

from custom_components.iec62056.protocol.ascii import datasets
from custom_components.iec62056.protocol.ascii.datasets import Parser, parse
from custom_components.iec62056.protocol.model import DataSet, Value
from custom_components.iec62056.protocol.values import split_unit

from ..counted import calls


def one(address: str | None, *values: str | tuple[str, str]) -> DataSet:
    return DataSet(
        address,
        tuple(Value(value) if isinstance(value, str) else Value(*value) for value in values),
    )


def found(block: str) -> list[DataSet]:
    """The data sets of a block in which everything is one."""
    sets, unparsed = parse(block.encode("latin-1"))
    assert unparsed == []
    return sets


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1.8.0(004711.250*kWh)", [one("1.8.0", ("004711.250", "kWh"))]),
        ("1-0:1.8.0*255(004711.250*kWh)", [one("1-0:1.8.0*255", ("004711.250", "kWh"))]),
        ("F.F(00000000)", [one("F.F", "00000000")]),
        ("1.6.0()", [one("1.6.0", "")]),
        ("C.1.1(        )", [one("C.1.1", "        ")]),
        ("0.0.0( 20500)", [one("0.0.0", " 20500")]),
        ("13.7( -.--)", [one("13.7", " -.--")]),
        ("1-1:52.7.0(---.-*V)", [one("1-1:52.7.0", ("---.-", "V"))]),
        ("0.3.0(5000*imp/kWh)", [one("0.3.0", ("5000", "imp/kWh"))]),
        ("13.25(0.83*P/S)", [one("13.25", ("0.83", "P/S"))]),
        ("ET0PE(16907.9477764)", [one("ET0PE", "16907.9477764")]),
        ("1-1:30D(0001)", [one("1-1:30D", "0001")]),
        ("0/1.8(5)", [one("0/1.8", "5")]),
        ("0.1.2&07(2210010000)", [one("0.1.2&07", "2210010000")]),
        ("1.6.0,5(202601130730)", [one("1.6.0,5", "202601130730")]),
        ("C.3.1(___-----)", [one("C.3.1", "___-----")]),
        ("0.2.0(AB12345 CRC:0x269D Nov 21)", [one("0.2.0", "AB12345 CRC:0x269D Nov 21")]),
        ("0.2.0(V01.69#EEA3)", [one("0.2.0", "V01.69#EEA3")]),
        ("0.2.1(121120??)", [one("0.2.1", "121120??")]),
        ("0.2.0(what!)", [one("0.2.0", "what!")]),
        ("0F0880FF(46.24,31.14,15.10)", [one("0F0880FF", "46.24,31.14,15.10")]),
        ("0.2.0(stra\xdfe)", [one("0.2.0", "stra\xdfe")]),
        # several brackets
        (
            "1.6.1(0.482*kW)(1190711111500)",
            [one("1.6.1", ("0.482", "kW"), "1190711111500")],
        ),
        ("1.6.0(5*kW)()", [one("1.6.0", ("5", "kW"), "")]),
        (
            "0-1:24.2.1(161116200000W)(00066.405*m3)",
            [one("0-1:24.2.1", "161116200000W", ("00066.405", "m3"))],
        ),
        ("1.8.0*00(000783.16)(000783.16)", [one("1.8.0*00", "000783.16", "000783.16")]),
        ("P.98(1041007095703)(00)()(0)", [one("P.98", "1041007095703", "00", "", "0")]),
        # several sets
        (
            "6.8(0028.055*MWh)6.26(01589.28*m3)F(0)6.8.1()",
            [
                one("6.8", ("0028.055", "MWh")),
                one("6.26", ("01589.28", "m3")),
                one("F", "0"),
                one("6.8.1", ""),
            ],
        ),
        (
            "VOLTA(228.93)VOLTA(230.02)",
            [one("VOLTA", "228.93"), one("VOLTA", "230.02")],
        ),
        ("1.8.0(1) 2.8.0(2)", [one("1.8.0", "1"), one("2.8.0", "2")]),
        # the ampersand of heat meters
        ("9.4(098.5*C&096.1*C)", [one("9.4", ("098.5", "C"), ("096.1", "C"))]),
        ("9.36(2005-01-01&06:30:00)", [one("9.36", "2005-01-01&06:30:00")]),
        ("6.36(01-01&00:00)", [one("6.36", "01-01&00:00")]),
        ("9.2(&&)", [one("9.2", "&&")]),
        ("9.1(0&1&CECV&5.16&?:)", [one("9.1", "0&1&CECV&5.16&?:")]),
        # units
        ("1.8.0(001.322kW)", [one("1.8.0", ("001.322", "kW"))]),
        ("1.8.0(0031250 kWh)", [one("1.8.0", ("0031250", "kWh"))]),
        ("31.7.1(002.50%)", [one("31.7.1", ("002.50", "%"))]),
        ("0-1:24.2.1(12.345m3)", [one("0-1:24.2.1", ("12.345", "m3"))]),
        ("0.0.1(  1ISK00)", [one("0.0.1", "  1ISK00")]),
        ("96.90.2(0F66)", [one("96.90.2", "0F66")]),
        ("C.5.0(12A)", [one("C.5.0", "12A")]),
        ("1.8.0(013925.5*)", [one("1.8.0", "013925.5")]),
        ("1.8.0(013925.5kWh*)", [one("1.8.0", ("013925.5", "kWh"))]),
        ("1.8.0(013925.5* kWh )", [one("1.8.0", ("013925.5", "kWh"))]),
        ("1.8.0(000007,4*kWh)", [one("1.8.0", ("000007,4", "kWh"))]),
        ("41.7.0(+00026*W)", [one("41.7.0", ("+00026", "W"))]),
        ("C.1.0(****1234)", [one("C.1.0", "****1234")]),
        ("C.1.0(12**34*kWh)", [one("C.1.0", ("12**34", "kWh"))]),
        ("C.1.0(1*a unit that is far too long)", [one("C.1.0", "1*a unit that is far too long")]),
        # brackets without an address
        ("(0033402.264*kWh)", [one(None, ("0033402.264", "kWh"))]),
        ("(174635) (100209)", [one(None, "174635", "100209")]),
        ("(0.18374)(0.00078)()", [one(None, "0.18374", "0.00078", "")]),
        ("(ERROR)", [one(None, "ERROR")]),
        # blanks around
        ("  \t1.8.0(5*kWh)", [one("1.8.0", ("5", "kWh"))]),
        ("1.7.0 (0.594*kW)", [one("1.7.0", ("0.594", "kW"))]),
        ("1.7.0(0.594*kW) ", [one("1.7.0", ("0.594", "kW"))]),
        ("P.98(1)(2) ", [one("P.98", "1", "2")]),
        # what the parser may find in front where a frame begins
        ("\x021.7.0(1)", [one("1.7.0", "1")]),
        ("\x00\x7f1.7.0(1)(2)", [one("1.7.0", "1", "2")]),
    ],
)
@pytest.mark.parametrize(
    "end", ["", "\r\n", "\n", "\r", "\n\n", " \r\n", "\r\n!\r\n", "!\r\n", "!"]
)
def test_a_line(line: str, expected: list[DataSet], end: str) -> None:
    assert found(line + end) == expected


def test_values_on_the_next_line_are_a_set_without_an_address() -> None:
    block = "0-1:24.3.0(130110100000)(00)(0-1:24.2.1)(m3)\r\n(00017.160)\r\n0-1:24.4.0(1)\r\n!"
    assert found(block) == [
        one("0-1:24.3.0", "130110100000", "00", "0-1:24.2.1", "m3"),
        one(None, "00017.160"),
        one("0-1:24.4.0", "1"),
    ]


def test_rows_of_a_load_profile() -> None:
    rows = "(0.18374)(0.00078)\r\n(0.16832)(0.00000)\r\n(-.---)(0.5kW)\r\n"
    assert found("P.01(1220823161500)(00)(15)(2)(1.5)(kW)(2.5)(kW)\r\n" + rows)[1:] == [
        one(None, "0.18374", "0.00078"),
        one(None, "0.16832", "0.00000"),
        one(None, "-.---", ("0.5", "kW")),
    ]


def test_an_exclamation_mark_inside_a_line() -> None:
    assert found("0.2.2(:::::G11)!(:::::G11)(!)\r\n1.8.0(5)\r\n!\r\n") == [
        one("0.2.2", ":::::G11", ":::::G11", "!"),
        one("1.8.0", "5"),
    ]


@pytest.mark.parametrize(
    "end", ["!", "!CC1E\r\n", "!\r\n  25803103\r\n", "! # end (of data)", "!(3)"]
)
def test_nothing_is_taken_after_the_end(end: str) -> None:
    parser = Parser()
    parser.feed(f"1.8.0(5*kWh)\r\n{end}".encode())
    parser.feed(b"\r\n2.8.0(6*kWh)\r\n")
    parser.finish()
    assert parser.datasets == [one("1.8.0", ("5", "kWh"))]
    assert parser.unparsed == []
    assert parser.ended


def test_a_long_line_behind_the_end_is_not_taken() -> None:
    sets, unparsed = parse(b"1.8.0(5*kWh)\r\n!\r\n" + b"2.8.0(6*kWh)" * 1000)
    assert sets == [one("1.8.0", ("5", "kWh"))]
    assert unparsed == []


def test_the_echo_of_a_request_ends_nothing() -> None:
    sets, unparsed = parse(b"/?!\r\n/ABC5METER\r\n1.8.0(5)\r\n!\r\n")
    assert sets == [one("1.8.0", "5")]
    assert unparsed == ["/?!", "/ABC5METER"]


def test_a_set_is_there_as_soon_as_its_line_ends() -> None:
    parser = Parser()
    parser.feed(b"1.8.0(5*kWh)")
    assert parser.datasets == []
    parser.feed(b"\r")
    assert parser.datasets == [one("1.8.0", ("5", "kWh"))]
    parser.feed(b"\n2.8.0(6*kWh)")
    assert len(parser.datasets) == 1
    assert not parser.ended
    parser.finish()
    assert len(parser.datasets) == 2
    assert parser.ended


BEFORE, AFTER = one("1.8.0", ("5", "kWh")), one("2.8.0", ("6", "kWh"))


@pytest.mark.parametrize(
    ("damaged", "kept", "unparsed"),
    [
        # what cannot be understood costs itself alone
        ("F\x19\x0e\x19vff\x19vu5j", [], "F\x19\x0e\x19vff\x19vu5j"),
        ("0-0:96.13.0(" + "\xef\xbf\xbd" * 700, [], ("0-0:96.13.0(" + "\xef\xbf\xbd" * 50)[:128]),
        ("1.7.0(0.594*kW", [], "1.7.0(0.594*kW"),
        ("1.7.0 0.594*kW)", [], "1.7.0 0.594*kW)"),
        ("1.7.0((0.594*kW)", [], "1.7.0((0.594*kW)"),
        ("1.7.0(0.5)94*kW)", [], "1.7.0(0.5)94*kW)"),
        ("1.7.0(0.5\x0094*kW)", [], "1.7.0(0.5\x0094*kW)"),
        ("1.6.0(0.5*kW)(12\x0134)(5)", [], "1.6.0(0.5*kW)(12\x0134)(5)"),
        ("Reading state (on)", [], "Reading state (on)"),
        ("X" * 33 + "(5)", [], "X" * 33 + "(5)"),
        # and leaves the other sets of its line
        (
            "6.8(5*GJ)6.26(7*m3 6.6(8*kW)",
            [one("6.8", ("5", "GJ")), one("6.6", ("8", "kW"))],
            "6.26(7*m3",
        ),
        (
            "6.8(5*GJ)6.26(7)*m3)6.6(8*kW)",
            [one("6.8", ("5", "GJ")), one("6.6", ("8", "kW"))],
            "6.26(7)*m3)",
        ),
        # noise before and after
        ("?\x021.7.0(1)", [one("1.7.0", "1")], "?"),
        ("12:30:01 : 1.7.0(1)(2)", [one("1.7.0", "1", "2")], "12:30:01 :"),
        ("\xff\xff1.7.0(1)", [one("1.7.0", "1")], "\xff\xff"),
        ("1.7.0(013925.5*)Y\x02\x02\x01\x00", [one("1.7.0", "013925.5")], "Y"),
        ("1.7.0(1) # remark", [one("1.7.0", "1")], "# remark"),
    ],
)
def test_damage_stays_where_it_is(damaged: str, kept: list[DataSet], unparsed: str) -> None:
    block = f"1.8.0(5*kWh)\r\n{damaged}\r\n2.8.0(6*kWh)\r\n!\r\n".encode("latin-1")
    assert parse(block) == ([BEFORE, *kept, AFTER], [unparsed])


def test_damage_before_the_end_mark() -> None:
    sets, unparsed = parse(b"1.8.0(013925.5*)Y\x02\x02\x01\x00!\r\n")
    assert sets == [one("1.8.0", "013925.5")]
    assert unparsed == ["Y"]


def test_a_line_over_the_bound_is_cut_and_costs_no_other() -> None:
    brackets = "(0.125)" * (datasets.MAX_LINE // 7 + 100)
    sets, unparsed = parse(f"1.8.0(5*kWh)\r\nP.1{brackets}\r\n2.8.0(6*kWh)\r\n".encode())
    assert [dataset.address for dataset in sets] == ["1.8.0", "P.1", "2.8.0"]
    assert len(sets[1].values) == (datasets.MAX_LINE - 3) // 7
    assert unparsed[0] == f"P.1{brackets}"[: datasets.MAX_UNPARSED_LENGTH]


def test_what_is_kept_is_bounded() -> None:
    sets, unparsed = parse(b"noise and more of it\r\n" * 1000 + b"?" * 5000 + b"\r\n1.8.0(5*kWh)")
    assert len(unparsed) == datasets.MAX_UNPARSED
    assert sets == [BEFORE]
    assert parse(b"?" * 5000)[1] == ["?" * datasets.MAX_UNPARSED_LENGTH]


def test_a_block_without_an_end_is_bounded() -> None:
    parser = Parser()
    line = b"1.8.0(004711.250*kWh)\r\n"
    for _ in range(20):
        parser.feed(line * 5000)
    assert parser.ended
    assert len(parser.datasets) == datasets.MAX_BLOCK // len(line)


LINES = st.text(alphabet="0189.:*()!&/-+ kWhCmP3%,\t\x00\x02\x7f\xa0\xff\r\n", max_size=80)
PIECES = st.sampled_from(
    [
        "1.8.0(5*kWh)",
        "1.6.0(0.5*kW)(2211120730)",
        "(0.125)(0.250)",
        "9.4(1*C&2*C)",
        "0.2.2(a)!(a)",
        "1.7.0 (0.594kW) ",
        "F.F(00",
        "noise",
        "/?!",
        "\r\n",
        "\n",
        "\r",
        " ",
        "!",
        "(",
        ")",
    ]
)
BLOCKS = st.lists(PIECES | LINES, max_size=12).map("".join)


@given(BLOCKS, st.lists(st.integers(0, 200), max_size=8))
@example("1.8.0(5*kWh)\r\n!\r\n2.8.0(5)", [14])
def test_any_division_into_runs_gives_the_same(block: str, cuts: list[int]) -> None:
    whole = block.encode("latin-1")
    parser = Parser()
    start = 0
    for cut in [*sorted(cuts), len(whole)]:
        parser.feed(whole[start:cut])
        start = max(start, cut)
    parser.finish()
    assert (parser.datasets, parser.unparsed) == parse(whole)


@pytest.mark.parametrize(
    "line",
    [
        "(0.125)" * 2000,
        "1.8.0(5)" * 2000,
        "1.8.0(" + "5" * 9000 + ")",
        "x" * 9000 + "!",
        " " * 9000 + "1.8.0(5)",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 4096, 8191, 8192, 8193])
def test_a_line_over_the_bound_is_cut_alike_in_any_division(line: str, size: int) -> None:
    whole = f"1.8.0(5*kWh)\r\n{line}\r\n2.8.0(6*kWh)\r\n".encode()
    parser = Parser()
    for start in range(0, len(whole), size):
        parser.feed(whole[start : start + size])
    parser.finish()
    assert (parser.datasets, parser.unparsed) == parse(whole)


@given(LINES)
@example("1.8.0(12.3kWh*)")
@example("1.8.0(5*C&6)")
@example("(5)(12m3)")
@example("/1(5)")
def test_the_way_for_clean_lines_finds_what_the_careful_one_finds(line: str) -> None:
    # Only a line that has ended is taken by the run.
    single = line.replace("\r", "").replace("\n", "").encode("latin-1")
    assert parse(single + b"\r\n") == parse(single)


@given(st.lists(st.tuples(PIECES | LINES, st.integers(1, 200)), max_size=6), st.integers(1, 900))
@example([("1.8.0(5)", 80), ("!", 1), ("2.8.0(6)", 80)], 64)
@example([("a(b)", 200), ("c)", 1), ("(d\x00)", 90), ("e(f)", 90)], 64)
@example([("0.2.2(a)!(a)", 60), ("/1(5)", 60)], 64)
def test_a_long_line_is_the_same_at_once_and_bit_by_bit(
    parts: list[tuple[str, int]], size: int
) -> None:
    whole = "".join(part * count for part, count in parts).encode("latin-1")
    parser = Parser()
    for start in range(0, len(whole), size):
        parser.feed(whole[start : start + size])
    parser.finish()
    assert (parser.datasets, parser.unparsed) == parse(whole)


@given(st.binary(max_size=400))
def test_any_bytes_are_taken(block: bytes) -> None:
    sets, unparsed = parse(block)
    assert all(values for _, values in sets)
    assert all(0 < len(line) <= datasets.MAX_UNPARSED_LENGTH for line in unparsed)
    for address, values in sets:
        assert address is None or (address == address.strip() and address.isprintable())
        assert all(value.text.isprintable() or max(value.text) >= "\xa0" for value in values)


PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="()")
ADDRESSES = st.text(
    PRINTABLE.filter(lambda character: character not in " /!"), min_size=1, max_size=16
)
TEXTS = st.text(PRINTABLE.filter(lambda character: character not in "*/!"), max_size=32)
UNITS = st.text(
    PRINTABLE.filter(lambda character: character not in " */!&"), min_size=1, max_size=16
).filter(lambda unit: any(character.isalpha() for character in unit))
VALUES = st.builds(Value, TEXTS, UNITS) | TEXTS.filter(
    lambda text: split_unit(text)[1] is None
).map(Value)
SETS = st.builds(DataSet, ADDRESSES, st.lists(VALUES, min_size=1, max_size=4).map(tuple))
ROWS = st.builds(DataSet, st.none(), st.lists(VALUES, min_size=1, max_size=4).map(tuple))


def as_sent(sets: Iterable[DataSet]) -> str:
    """A line in the notation of Std 6.6."""
    return "".join(
        (address or "")
        + "".join(
            f"({value.text})" if value.unit is None else f"({value.text}*{value.unit})"
            for value in values
        )
        for address, values in sets
    )


@given(
    st.lists(st.lists(SETS, min_size=1, max_size=3) | ROWS.map(lambda row: [row]), max_size=6),
    st.sampled_from(["\r\n", "\n", "\r", "\n\n"]),
)
def test_what_is_well_formed_is_read_back(lines: list[list[DataSet]], end: str) -> None:
    block = end.join([*(as_sent(line) for line in lines), "!", ""])
    assert found(block) == [dataset for line in lines for dataset in line]


def steps(runs: Iterable[bytes]) -> list[int]:
    """How many functions are called for each of these runs, and at the end."""
    parser = Parser()
    counts = [calls(lambda run=run: parser.feed(run)) for run in runs]  # type: ignore[misc]
    return [*counts, calls(parser.finish)]


HOSTILE = [
    b"(",
    b")",
    b"()",
    b"((((a))))",
    b"1.8.0(",
    b"1.8.0(5)",
    b"1.8.0(5)\r\n",
    b"a(b)c\n",
    b"1.8.0(5*kWh\n",
    b" ",
    b"\r",
    b"5*C&5*C",
    b"(5*C&",
    b"1.8.0!",
    b"(1)!",
    b"\xff",
    b"0",
    b"*",
    b"0 (",
    b"(0.5)\r\n",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_steps_grow_with_the_size_alone(part: bytes) -> None:
    repeat = 40_000 // len(part)
    assert sum(steps([part * 2 * repeat])) <= 2 * sum(steps([part * repeat])) + 100


def test_single_characters_cost_the_same_each() -> None:
    assert sum(steps([b"x"] * 16_000)) <= 2 * sum(steps([b"x"] * 8_000)) + 100


@pytest.mark.parametrize("part", [b"(a)", b"a(a)", b"a b(a)", b"(0.125)", b"(5*C&5*C)"])
def test_a_long_line_is_understood_while_it_comes(part: bytes) -> None:
    """What its end takes is done at a stretch: no more than for the characters that came last."""
    run = 1024 // len(part) * part
    line = [run] * (datasets.MAX_LINE // len(run))
    *before, last, _ = steps([*line, b"\r\n"])
    assert last <= 2 * max(before[1:])


@pytest.mark.parametrize("part", HOSTILE)
def test_a_full_block_of_anything_is_parsed(part: bytes) -> None:
    # A pattern that goes back would not come to an end here.
    parser = Parser()
    parser.feed(part * (datasets.MAX_BLOCK // len(part)))
    parser.finish()
    assert len(parser.unparsed) <= datasets.MAX_UNPARSED


@pytest.mark.parametrize("added", ["\x00", "\x00\x00", "\x7f", "\x13"])
def test_control_character_within_an_address_makes_no_other_address(added: str) -> None:
    """XOR and SUM are blind for a NUL: 21.7.0 must not become 1.7.0."""
    datasets, unparsed = parse(
        f"2{added}1.7.0(00.512*kW)\r\n1.8.0(004711.8*kWh)\r\n".encode("latin-1")
    )
    assert [address for address, _ in datasets] == ["1.8.0"]
    assert unparsed
