"""Liberty files are read, and what is wrong with one is said."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.hw.synthesis import liberty, process
from dyad.hw.synthesis.boolean import truth
from dyad.hw.synthesis.cells import FALL, RISE, Table
from dyad.hw.synthesis.library import Library
from dyad.models.errors import InputError
from dyad.tests import cells
from dyad.tests.synthesis.surroundings import TINY, around


def test_liberty_syntax():
    group = liberty.parse(
        'library("one") { /* a\ncomment } */ unit : "1ns" ;\n define(a, b, c);\n'
        'cell (X) { area : 1.5\n values ( \\\n "1, 2", \\\n "3, 4" \\\n ); pin ("A[0]") { } } }',
        "one.lib",
    )
    (cell,) = group.groups
    assert (group.arguments, group.attributes["unit"]) == (["one"], "1ns")
    assert (cell.number("area"), cell.number("height", 7.0)) == (1.5, 7.0)
    assert liberty.numbers(cell.attributes["values"]) == [1, 2, 3, 4]
    assert cell.groups[0].arguments == ["A[0]"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("/* two\nlines */ library (x) {\n cell (A) { = } }", "x.lib, line 3: '= } }' is not Liberty"),
        ("library (x) { } }", "x.lib, line 1: '}' is not Liberty"),
        ("library (x) { cell (A, b) {", "x.lib ends within cell (A, b)"),
        ("module (x) { }", "x.lib is not a Liberty file: it holds no library"),
        ("", "x.lib is not a Liberty file: it holds no library"),
        (TINY.replace("area : 1.5", "area : big"), "area of cell BUF is 'big', not a number"),
        (cells.library(without=["INV"]), "x.lib has no inverter, which synthesis needs"),
        (
            cells.library(without=["DFF", "NAND2", "NAND2_LARGE"]),
            "x.lib has no two-input NAND and no D flip-flop for a rising clock, which synthesis needs",
        ),
        (TINY.replace("1ns", "1 fortnight"), "unit '1 fortnight' of a Liberty file is none of ns, ps"),
        (TINY.replace('values ("', 'values ("1, '), "tiny: a table of cell_rise has 10 values on 3 x 3 points"),
        (TINY.replace('values ("', 'values ("x, '), "tiny: a table of cell_rise cannot be read"),
    ],
)
def test_bad_libraries_are_refused(text, complaint):
    with pytest.raises(InputError, match=f"^{re.escape(complaint)}$"):
        _ = Library.parse(text, "x.lib")["BUF"]


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot read /nowhere\.lib: No such file or directory"):
        Library.read(Path("/nowhere.lib"))
    for data in (b"\x1f\x8bxxxx", b"\xff\xfe"):
        (tmp_path / "x.lib").write_bytes(data)
        with pytest.raises(InputError, match=r"x\.lib is not a Liberty file|cannot read .*x\.lib: "):
            Library.read(tmp_path / "x.lib")


def test_compressed_file_is_the_same_library(tmp_path, tiny):
    (tmp_path / "tiny.lib.gz").write_bytes(gzip.compress(TINY.encode()))
    assert Library.read(tmp_path / "tiny.lib.gz") == tiny


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("A", 0b10101010),
        ("!(A*B)", 0b01110111),
        ("(A B)'", 0b01110111),
        ("A' + B'", 0b01110111),
        ("A ^ B & C", 0b01100000),  # ^ binds closer than &
        ("A | B & C", 0b11101010),
        ("!A ^ 1", 0b10101010),
        ("!!A''", 0b10101010),
        ("IQ", None),
        ("(A", None),
        ("A )", None),
        ("", None),
    ],
)
def test_truth(function, expected):
    assert truth(function, "ABC") == expected


def test_roles(tiny):
    assert tiny.nand2_area == 2
    assert tiny.buffers == ["BUF", "BUF_LARGE"]
    assert around(tiny) == process.Surroundings("BUF_LARGE", 20 * 0.003, 4.0)
    assert tiny["DFF"].is_register
    assert not tiny["NAND2"].is_register


def test_dont_use_is_heeded():
    text = TINY.replace("cell (NAND2) {", "cell (NAND2) { dont_use : true;")
    assert Library.parse(text, "tiny.lib").nand2_area == 3


def test_units_are_those_of_the_file(tiny):
    other = Library.parse(TINY.replace('"1ns"', '"10ps"').replace("(1, pf)", "(100,ff)"), "other.lib")
    table, same = (each["NAND2"].pins["Y"].arcs[0].delay[RISE] for each in (other, tiny))
    assert table.at(0.001, 0.001) == pytest.approx(0.01 * same.at(0.1, 0.01))
    assert other["INV"].pins["A"].capacitance == pytest.approx((0.0002, 0.0003))


def test_variables_of_a_table_may_come_in_either_order(tiny):
    slew, load = "input_net_transition", "total_output_net_capacitance"
    turned = TINY.replace(slew, "x").replace(load, slew).replace("x;", f"{load};")
    table, same = (
        library["INV"].pins["Y"].arcs[0].delay[RISE] for library in (Library.parse(turned, "turned.lib"), tiny)
    )
    assert (table.first, table.second) == (same.second, same.first)
    assert table.at(0.01, 1.0) == same.at(1.0, 0.01)


@given(st.floats(0, 3), st.floats(0, 0.5))
def test_tables_are_straight_between_and_beyond_their_points(slew, load):
    table = Library.parse(TINY, "tiny.lib")["INV"].pins["Y"].arcs[0].delay[FALL]
    assert table.at(slew, load) == pytest.approx(cells.delay(0.01, slew, load))


def test_tables_bend_at_their_points():
    table = Table([0, 1, 3], [0, 10], [[0, 1], [2, 3], [0, 21]])
    assert [table.at(*point) for point in [(0.5, 0), (2, 10), (2, 0), (1, 5), (2, 5), (4, 10)]] == [
        *(1, 12, 1, 2.5, 6.5, 30),
    ]
    assert Table([5], [0, 10], [[1, 2]]).at(99, 5) == 1.5
    assert Table([0, 10], [5], [[1], [2]]).at(5, 99) == 1.5
