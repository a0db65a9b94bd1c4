"""`dyad formats`: what it says of one format, and how it compares several."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dyad.analysis import cli, format_report
from dyad.models import formats


@pytest.fixture
def dyad(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main([str(argument) for argument in arguments])
        return end.value.code or 0, *capsys.readouterr()

    return run


@pytest.mark.parametrize(("name", "smallest", "precision"), [
    ("e2m1", 0.5, [1, 2, 2, 2]), ("int4", 1, [1, 2, 3]), ("binary", 1, [0]),
    ("posit(8,0)", 1 / 64, [1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1]), ("e8m0", 2.0**-127, [1] * 254),
    ("fp16", 2.0**-24, [*range(1, 11), *[11] * 30]),
    ("hif8", 2.0**-22, [1] * 7 + [2] * 8 + [3] * 4 + [4] * 7 + [3] * 4 + [2] * 7),
])  # fmt: skip
def test_precision(name, smallest, precision):
    format = formats.scalar(name)
    assert format_report.smallest(format) == smallest
    exponent, bits = format_report.significant_bits(format)
    assert exponent[0] == np.log2(smallest)
    assert bits.tolist() == precision


def test_bits_per_value():
    bits = {"mxfp4": 4.25, "nvfp4": 4.5, "hif4": 4.5, "int4_g128": 4.125, "uint4_g128_z": 4.15625, "int8_tensor": 8}
    assert {name: format_report.bits_per_value(formats.parse(name)) for name in bits} == bits


def test_comparison_of_uniform_steps_is_what_theory_says():
    """A step of s gives s^2 / 12; a uniform quantizer of b bits fitted to x loses about 6 dB with each bit less."""
    by_name = {
        (each.name, each.data): each for each in format_report.compare(["int4", "int8", "int16", "fp16", "fp32"])
    }
    assert by_name["fp16", "gaussian"].sqnr_db == pytest.approx(73, abs=2)
    assert by_name["fp32", "laplace"].sqnr_db == pytest.approx(73 + 13 * 6.02, abs=2)
    assert 7 * 6.02 < by_name["int16", "gaussian"].sqnr_db - by_name["int8", "gaussian"].sqnr_db < 9.5 * 6.02
    for name in ("int4", "int8"):
        assert by_name[name, "gaussian"].sqnr_db > by_name[name, "laplace"].sqnr_db > by_name[name, "student-t"].sqnr_db
    assert by_name["int4", "gaussian"].max_error > by_name["int8", "gaussian"].max_error > 0


def test_a_format_is_shown(dyad):
    code, output, _ = dyad("formats", "posit(4,1)")
    assert code == 0
    assert output.splitlines()[1].split() == ["posit(4,1)", "4", "-16", "16"]
    assert "least positive value 0.0625; also NaR" in output
    assert "2^-2 to 2^2 █ 1\n" in output
    table = output[output.index("values by code") :].split()
    assert table[3:12] == ["0x00", "0", "0.0625", "0.25", "0.5", "1", "2", "4", "16"]
    assert table[12:] == ["0x08", "nan", "-16", "-4", "-2", "-1", "-0.5", "-0.25", "-0.0625"]
    assert "e2m1 with scales fp32 per tensor, e4m3 per 16: 4.5 bits per value" in dyad("formats", "nvfp4")[1]
    assert "values by code" not in dyad("formats", "fp16")[1]


def test_formats_are_compared(dyad, tmp_path):
    code, output, _ = dyad("formats", "--compare", "e4m3", "mxfp4", "--seed", 3, "--json", tmp_path / "c.json")
    assert code == 0
    report = json.loads((tmp_path / "c.json").read_text())
    assert report["seed"] == 3
    assert [(each["name"], each["data"]) for each in report["comparison"]] == [
        (name, data) for data in ("gaussian", "laplace", "student-t") for name in ("e4m3", "mxfp4")
    ]
    assert len(output.splitlines()) == 8
    assert report["comparison"][0]["sqnr_db"] > report["comparison"][1]["sqnr_db"] > 15


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_precision_is_plotted(dyad, tmp_path, kind):
    pytest.importorskip("matplotlib")
    assert dyad("formats", "posit(8,0)", "--plot", tmp_path / f"one.{kind}")[0] == 0
    assert dyad("formats", "--compare", "e4m3", "mxfp4", "--plot", tmp_path / f"two.{kind}")[0] == 0
    assert (tmp_path / f"one.{kind}").stat().st_size > 1000
    if kind == "svg":
        assert "mxfp4" in (tmp_path / "two.svg").read_text() or "<path" in (tmp_path / "two.svg").read_text()


@pytest.mark.parametrize(("arguments", "message"), [
    (["posit(8,1"], "unknown format 'posit(8,1'; did you mean posit(8,2)"),
    (["--compare", "int4", "uint8"], "uint8 has no negative values"),
    (["--plot", "x.png"], "--plot x.png needs a format"),
    (["int4", "--plot", "x.foo"], "cannot write a plot as x.foo"),
    (["int4", "--plot", "/nowhere/x.png"], "cannot write /nowhere/x.png: No such file or directory"),
    (["int4", "--markdown"], "exclude each other"),
])  # fmt: skip
def test_complaints(dyad, arguments, message):
    code, _, complaint = dyad("formats", *arguments)
    assert code == 2
    assert message in complaint and complaint.count("\n") == 1
