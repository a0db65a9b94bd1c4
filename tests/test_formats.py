"""Scalar formats: the array codec against the scalar reference, NumPy and ml_dtypes; names and errors."""

from __future__ import annotations

from fractions import Fraction

import gfloat
import gfloat.formats
import ml_dtypes
import numpy as np
import pytest
from gfloat import RoundMode
from hypothesis import given
from hypothesis import strategies as st

from dyad.models import formats
from dyad.models.errors import InputError
from dyad.models.formats import reference
from dyad.models.formats.rounding import RULES

SMALL = ["int1", "int2", "int4", "int8", "uint1", "uint4", "uint8", "e2m1", "e2m3", "e3m2", "e4m3", "e5m2", "e4m3fnuz"]
SMALL += ["e3m4", "e4m0fn", "e1m2finite", "ue4m3fn", "e4m3b11fnuz", "int8f6", "ternary", "binary", "odd4", "e4m3uz"]
SMALL += ["e8m0", "ue5m3", "ue6m2", "hif8", "binary8p1", "binary6p3"]
SMALL += [
    "posit(2,0)",
    "posit(2,3)",
    "posit(3,2)",
    "posit(4,1)",
    "posit(5,3)",
    "posit(8,0)",
    "posit(8,2)",
    "posit(8,7)",
]
OTHERS = {
    "fp16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e3m4": ml_dtypes.float8_e3m4,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e4m3ieee": ml_dtypes.float8_e4m3,
    "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "e4m3b11fnuz": ml_dtypes.float8_e4m3b11fnuz,
    "e5m2": ml_dtypes.float8_e5m2,
    "e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
}

GFLOAT = {name: getattr(gfloat.formats, f"format_info_ocp_{name}") for name in ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")}
GFLOAT |= {f"binary8p{p}": gfloat.formats.format_info_p3109(8, p) for p in range(1, 8)}
GFLOAT_ROUNDINGS = {
    "nearest-even": RoundMode.TiesToEven,
    "nearest-away": RoundMode.TiesToAway,
    "toward-zero": RoundMode.TowardZero,
    "up": RoundMode.TowardPositive,
    "down": RoundMode.TowardNegative,
}


def same(left, right) -> bool:
    """Equal values, NaN equal to NaN, and zeros of equal sign."""
    return np.array_equal(left, right, equal_nan=True) and np.array_equal(
        np.signbit(left)[~np.isnan(left)], np.signbit(right)[~np.isnan(right)]
    )


def every_code(format) -> np.ndarray:
    return np.arange(1 << format.bits).astype(format.dtype)


def boundaries(format) -> np.ndarray:
    """All finite values, the arithmetic and geometric means between them, and both neighbours of each in float64."""
    values = np.unique(format.decode(every_code(format)))
    values = values[np.isfinite(values)]
    beyond = [2 * values[0] - values[1], 2 * values[-1] - values[-2], 1e30, -1e30]
    between = np.sign(values[1:]) * np.sqrt(np.abs(values[1:])) * np.sqrt(np.abs(values[:-1]))
    points = np.concatenate([values, (values[1:] + values[:-1]) / 2, between, beyond, [1e-30, -1e-30, -0.7, -0.2]])
    return np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, -np.inf)])


@pytest.mark.parametrize("name", SMALL)
def test_decode_is_the_reference(name):
    format = formats.scalar(name)
    expected = [float(reference.decode(format, code)) for code in range(1 << format.bits)]
    assert same(format.decode(every_code(format)), np.array(expected))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("rounding", RULES)
def test_encode_is_the_reference(name, rounding):
    format = formats.scalar(name)
    points = boundaries(format)
    points = points[points != 0]  # the sign of a zero has no Fraction
    expected = [reference.encode(format, Fraction(x), rounding) for x in points.tolist()]
    np.testing.assert_array_equal(format.encode(points, rounding), expected)


@given(
    st.sampled_from(["fp16", "bf16", "tf32", "fp32", "int16", "uint16", "e8m3", "e5m10", "odd16", "posit(16,1)"])
    | st.sampled_from(["posit(16,2)", "posit(16,4)", "posit(32,2)", "posit(32,5)", "posit(31,0)", "posit(27,3)"]),
    st.sampled_from(list(RULES)),
    st.floats(allow_nan=False, allow_infinity=False).filter(bool),
)
def test_wide_formats_are_the_reference(name, rounding, x):
    format = formats.scalar(name)
    code = format.encode(x, rounding)
    assert code == reference.encode(format, Fraction(x), rounding)
    assert format.decode(code) == reference.decode(format, int(code))


@pytest.mark.parametrize("name", OTHERS)
def test_decode_is_the_library(name):
    format = formats.scalar(name)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        theirs = every_code(format).view(OTHERS[name]).astype(np.float64)
    assert same(format.decode(every_code(format)), theirs)


def test_e8m0_is_the_library():
    """ml_dtypes takes ties up, and every float32 above 2^-127 that is subnormal, near or far, to 2^-126."""
    e8m0 = formats.scalar("e8m0")
    theirs = ml_dtypes.float8_e8m0fnu
    assert same(e8m0.decode(every_code(e8m0)), every_code(e8m0).view(theirs).astype(np.float64))
    points = (np.arange(0x80, 0x7F80, dtype=np.uint32) << 16).view(np.float32)
    points = np.concatenate([points, np.nextafter(points[1:], np.float32(0)), np.nextafter(points, np.float32(9))])
    expected = points.astype(theirs).view(np.uint8)
    np.testing.assert_array_equal(e8m0.encode(points, "nearest-away", overflow="nan"), expected)


@pytest.mark.parametrize("name", GFLOAT)
@pytest.mark.parametrize(("rounding", "theirs"), GFLOAT_ROUNDINGS.items())
@pytest.mark.parametrize("saturate", [True, False])
def test_encode_is_gfloat(name, rounding, theirs, saturate):
    format, info = formats.scalar(name), GFLOAT[name]
    assert same(format.decode(every_code(format)), gfloat.decode_ndarray(info, every_code(format)))
    points = (np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32)
    points = points[np.isfinite(points)]
    points = np.concatenate([points, np.nextafter(points, np.float32(9)), boundaries(format)])
    overflow = "saturate"
    if not saturate and format.nan is not None:
        overflow = "nan" if format.infinity is None else "infinity"
    rounded = gfloat.round_ndarray(info, points, theirs, sat=overflow == "saturate")
    assert same(format.decode(format.encode(points, rounding, overflow)), rounded)


@pytest.mark.parametrize("name", OTHERS)
def test_encode_is_the_library(name):
    """Every finite code, and every float32 that starts with one of all 65536 upper halves."""
    format = formats.scalar(name)
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    points = np.concatenate([upper, upper + 1, upper + 0x8000, upper + 0xFFFF]).view(np.float32)
    points = points[np.isfinite(points) & (np.abs(points) <= format.maximum)]
    np.testing.assert_array_equal(format.encode(points), points.astype(OTHERS[name]).view(format.dtype))


def test_fp16_overflows_to_infinity_as_numpy():
    points = np.array(
        [65504.0, 65519.99, 65520.0, 1e30, np.inf, -np.inf, -65520.0, 0.0, -0.0, 2.0**-25, 2.0**-24, np.nan]
    )
    with np.errstate(over="ignore"):
        expected = points.astype(np.float16).view(np.uint16)
    np.testing.assert_array_equal(formats.scalar("fp16").encode(points, overflow="infinity"), expected)


def test_fp32_is_numpy():
    codes = np.random.default_rng(1).integers(0, 1 << 32, 10000, dtype=np.uint32)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        values = codes.view(np.float32).astype(np.float64)
    fp32 = formats.scalar("fp32")
    assert same(fp32.decode(codes), values)
    numbers = ~np.isnan(values)
    np.testing.assert_array_equal(fp32.encode(values[numbers], overflow="infinity"), codes[numbers])


def test_every_code_encodes_to_itself():
    for name in [*SMALL, "fp16", "bf16", "int16"]:
        format = formats.scalar(name)
        values = format.decode(every_code(format))
        finite = np.isfinite(values)
        assert np.array_equal(format.encode(values[finite]), every_code(format)[finite]), name


@pytest.mark.parametrize(("name", "overflow", "codes"), [
    ("e4m3", "saturate", [0x7E, 0xFE]), ("e4m3", "nan", [0x7F, 0xFF]), ("e4m3fnuz", "nan", [0x80, 0x80]),
    ("e5m2", "saturate", [0x7B, 0xFB]), ("e5m2", "infinity", [0x7C, 0xFC]), ("int4", "saturate", [7, 8]),
    ("uint4", "saturate", [15, 0]), ("ue4m3fn", "nan", [0x7F, 0x7F]),
    ("hif8", "saturate", [0x6E, 0xEE]), ("hif8", "infinity", [0x6F, 0xEF]), ("hif8", "nan", [0x80, 0x80]),
    ("e8m0", "saturate", [0xFE, 0]), ("ternary", "saturate", [1, 3]), ("ternary", "nan", [2, 2]),
    ("binary", "saturate", [1, 0]),
])  # fmt: skip
def test_overflow(name, overflow, codes):
    format = formats.scalar(name)
    for x in (1e39, np.inf):
        assert format.encode([x, -x], overflow=overflow).tolist() == codes


@pytest.mark.parametrize(("name", "finite", "infinite"), [
    ("fp16", 0x7BFF, 0x7C00), ("e5m2", 0x7B, 0x7C), ("bf16", 0x7F7F, 0x7F80),
])  # fmt: skip
def test_finite_values_that_are_rounded_towards_zero_stay_finite(name, finite, infinite):
    format = formats.scalar(name)
    sign = 1 << (format.bits - 1)
    x = [3.4e38, np.inf, -3.4e38, -np.inf]
    expected = {
        "toward-zero": [finite, infinite, sign + finite, sign + infinite],
        "up": [infinite, infinite, sign + finite, sign + infinite],
        "down": [finite, infinite, sign + infinite, sign + infinite],
        "nearest-even": [infinite, infinite, sign + infinite, sign + infinite],
    }
    for rounding, codes in expected.items():
        assert format.encode(x, rounding, "infinity").tolist() == codes
        assert format.encode(np.float32(x), rounding, "infinity").tolist() == codes


def test_hif8_takes_ties_away_from_zero():
    hif8 = formats.scalar("hif8")
    ties = [0.265625, 4.25, -4.25, 2.0**-24 * 3, 28672.0, 40960.0]
    assert hif8.decode(hif8.encode(ties, overflow="infinity")).tolist() == [0.28125, 4.5, -4.5, 2.0**-22, 32768, np.inf]
    assert hif8.decode(hif8.encode(4.25, "nearest-even")) == 4.0


def test_formats_without_zero_give_their_least_value():
    for name, least in {"e8m0": 2.0**-127, "ue6m2": 2.0**-48, "binary": 1.0}.items():
        format = formats.scalar(name)
        assert format.decode(format.encode([0.0, 1e-300])).tolist() == [least, least]


def test_stochastic_rounding_is_unbiased_and_seeded():
    int8 = formats.scalar("int8")
    x = np.full(20000, -2.25)
    codes = int8.encode(x, "stochastic", seed=7)
    assert set(int8.integers(codes)) == {-3, -2}
    assert abs(int8.integers(codes).mean() + 2.25) < 0.02
    assert np.array_equal(codes, int8.encode(x, "stochastic", seed=7))
    assert not np.array_equal(codes, int8.encode(x, "stochastic", seed=8))
    assert int8.encode(5.0, "stochastic", seed=1) == 5


def test_integers_are_signed():
    assert formats.scalar("int4").integers(np.arange(16, dtype=np.uint8)).tolist() == [*range(8), *range(-8, 0)]
    assert formats.scalar("uint4").integers(np.arange(16, dtype=np.uint8)).tolist() == [*range(16)]
    assert formats.scalar("int1").integers([0, 1]).tolist() == [0, -1]


def test_limits():
    limits = {"int1": (-1, 0), "uint1": (0, 1), "int16": (-32768, 32767), "e2m1": (-6, 6), "e4m3": (-448, 448)}
    limits |= {"e5m2": (-57344, 57344), "fp16": (-65504, 65504), "ue4m3fn": (0, 448), "e4m3fnuz": (-240, 240)}
    for name, expected in limits.items():
        format = formats.scalar(name)
        assert (format.minimum, format.maximum) == expected, name
        assert not np.signbit(format.minimum) or format.minimum < 0


def test_a_format_is_added_in_one_line(monkeypatch):
    monkeypatch.setattr(formats.scalars, "NAMED", dict(formats.scalars.NAMED))
    mine = formats.add(formats.Format("mine6", 6, "float", True, 3, bias=5))
    assert formats.parse("mine6") is mine
    assert mine.maximum == 2.0 ** (7 - 5) * 1.75
    assert formats.add(mine) == mine
    for wrong, message in {
        formats.Format("mine6", 6, "float", True, 3): "the name mine6 is taken",
        formats.Format("int4", 4, "integer", False): "the name int4 is taken",
        formats.Format("other", 4, "flaot", True): "unknown encoding 'flaot'; did you mean float",
        formats.Format("other", 4, "float", True, 2, specials="inf"): "unknown specials 'inf'",
        formats.Format(
            "other", 4, "float", True, 2, rounding="nearest"
        ): "unknown rounding 'nearest'; did you mean nearest-",
        formats.Format("other", 4, "float", True, 4): "other has 4 bits, 4 of them exponent",
    }.items():
        with pytest.raises(InputError, match=message):
            formats.add(wrong)


def test_values_are_listed_in_types_that_hold_them():
    assert formats.scalar("posit(4,1)").values(np.float32).tolist()[:8] == [0, 1 / 16, 1 / 4, 1 / 2, 1, 2, 4, 16]
    with pytest.raises(InputError, match="the values of bf16 do not fit float16"):
        formats.scalar("bf16").decode(np.array([1], np.uint16), np.float16)
    with pytest.raises(InputError, match=r"tf32 has 2\^19 values"):
        formats.scalar("tf32").values()


def test_aliases_are_the_generic_formats():
    for alias, name in {"fp16": "e5m10", "bf16": "e8m7", "fp32": "e8m23"}.items():
        left, right = formats.scalar(alias), formats.scalar(name)
        assert (left.bits, left.bias, left.specials) == (right.bits, right.bias, right.specials)
        assert left.name == alias


@pytest.mark.parametrize("name", formats.names())
def test_names_parse_to_themselves(name):
    assert formats.parse(name).name == name


@pytest.mark.parametrize(("name", "message"), [
    ("int44", "int44 has 44 bits; integer formats have 1 to 16"),
    ("int0", "int0 has 0 bits"),
    ("imt4", "unknown format 'imt4'; did you mean int4"),
    ("int4_q128", "unknown format 'int4_q128'; did you mean int4_g128"),
    ("fp16_g128", "elements of a quantization group must be integers, not fp16"),
    ("int4_g0", "group size 0 of int4 must be at least 1"),
    ("e9m1", "e9m1 has 9 exponent bits of 11"),
    ("e8m30", "e8m30 has 8 exponent bits of 39"),
    ("e3m0", "write e3m0fn or e3m0finite"),
    ("ue4m3fnuz", "write fn instead of fnuz"),
    ("odd17", "odd17 has 17 bits"),
    ("posit(33,2)", r"posit\(33,2\) has 33 bits; posits have 2 to 32"),
    ("posit(32,6)", r"posit\(32,6\) needs values up to 2\^\(30 2\^6\), beyond float64"),
    ("posit(8)", r"unknown format 'posit\(8\)'; did you mean posit\(8,2\)"),
    ("binary8p8", "binary8p8 has 0 exponent bits of 8"),
])  # fmt: skip
def test_bad_names(name, message):
    with pytest.raises(InputError, match=message):
        formats.parse(name)


@pytest.mark.parametrize(("call", "message"), [
    (lambda f: f.encode(np.nan), "NaN cannot be encoded in int4"),
    (lambda f: f.encode(1.0, "nearest-evn"), "unknown rounding 'nearest-evn'; did you mean nearest-even"),
    (lambda f: f.encode(1.0, "stochastic"), "rounding 'stochastic' needs seed="),
    (lambda f: f.encode(1.0, overflow="wrap"), "unknown overflow 'wrap'"),
    (lambda f: f.encode(1.0, overflow="infinity"), "int4 has no infinity; overflow can be 'saturate'"),
    (lambda f: f.decode(16), "code 16 does not fit the 4 bits of int4"),
    (lambda f: f.decode(-1), "code -1 does not fit"),
    (lambda f: f.decode(1.5), "codes of int4 must be integers, not float64"),
    (lambda f: formats.scalar("e2m1").integers([1]), "e2m1 is not an integer format"),
    (lambda f: formats.scalar("ternary").integers([1, 2]), "code 2 of ternary is NaN, which is no integer"),
])  # fmt: skip
def test_bad_values(call, message):
    with pytest.raises(InputError, match=message):
        call(formats.scalar("int4"))
