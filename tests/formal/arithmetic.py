# amaranth: UnusedElaboratable=no
"""Proofs of the cells of integer processing elements: their products, and their sums over a segment."""

from __future__ import annotations

from types import ModuleType

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed

from dyad.hw.formal import Problem
from dyad.models.formats import scalar
from dyad.models.pe import IntMac, MixPE, Ternary
from dyad.models.pe.integer import IntegerPE
from dyad.models.pe.mixpe import DIGITS
from dyad.rtl.pe import int_mac, integer, mixpe, sums, ternary
from dyad.rtl.pe.stations import STEP
from dyad.rtl.pe.sums import add_up
from dyad.tests.formal.catalog import Bug, proof


def schoolbook(a: Value, weight: Value, negative_top: Value) -> Value:
    """Return a * weight as the sum of a shifted activation for each bit; the top one may count negatively."""
    total = sum((Mux(weight[bit], a << bit, 0) for bit in range(len(weight) - 1)), Const(0, signed(1)))
    top = Mux(weight[-1], a << len(weight) - 1, 0)
    return total + Mux(negative_top, -top, top)


def multiplied(pe: IntegerPE, a: Value, plane: Value, mode: Value) -> Value:
    """Return what a cell is to add for an activation and a plane of a weight: their product, by the model's account."""
    if isinstance(pe, MixPE):
        return schoolbook(a, plane, Const(0)) + a * DIGITS
    sign = Array(int(scalar(each.weight).signed) for each in pe.modes)[mode]
    return schoolbook(a, plane, sign)


def _stream(pe: IntegerPE, module: ModuleType) -> Problem:
    """A cell of one lane against the sum of `multiplied` and its own offset, over any stream of steps."""
    p = Problem()
    stations = module.stations(pe)
    p.m.submodules.dot = dot = stations.Dot()
    cell = stations.Dot.args[1]
    step = p.arbitrary(STEP, "step")
    row, column = p.arbitrary(signed(len(dot.row)), "row"), p.arbitrary(len(dot.column), "column")
    p.m.d.comb += [dot.step.eq(step), dot.row.eq(row), dot.column.eq(column)]
    interval = max(mode.interval for mode in pe.modes)
    p.given(step.valid | (row == 0) & (column == cell.idle))
    p.given((step.plane < interval) & (step.mode < len(pe.modes)))

    total, shown, ended = Signal.like(dot.result), Signal.like(dot.result), Signal()
    product = multiplied(pe, row, column, step.mode) + cell.offset(pe)
    planes = Array(product << pe.plane_bits * plane for plane in range(interval))
    following = Signal.like(total)
    p.m.d.comb += following.eq(Mux(step.first, 0, total) + planes[step.plane])
    with p.m.If(step.valid):
        p.m.d.sync += total.eq(following)
        with p.m.If(step.last):
            p.m.d.sync += [shown.eq(following), ended.eq(1)]
    # A cell is a cycle behind: its accumulator lacks the product that a register holds. That this is right makes the
    # rest a matter of sums alone.
    held, known = Signal(product.shape()), Signal()
    p.m.d.sync += [held.eq(Mux(step.valid, product, 0)), known.eq(1)]
    bits = len(add_up(Module(), cell.terms(row, column, step.mode), Const(1)).number)
    p.show(~known | (p.inside(bits, "dot.product") + p.inside(1, "dot.carry") == held))
    later, shown_later, ended_later = Signal.like(total), Signal.like(shown), Signal()
    p.m.d.sync += [later.eq(total), shown_later.eq(shown), ended_later.eq(ended)]
    p.show(~ended_later | (dot.result == shown_later))
    p.show(p.inside(total.shape(), "dot.accumulator") == later)
    return p


@proof(1, Bug(mixpe, "Mux(high, 0, a << 1)", "Mux(high, a, a << 1)"))
def mixpe_products() -> Problem:
    """MixPE's terms sum to a (w - 10), for every int8 activation a and every nibble w."""
    p = Problem()
    a, weight = p.arbitrary(signed(8), "activation"), p.arbitrary(4, "weight")
    terms = mixpe.terms(a, weight, Const(0))
    total = sum((term.number.as_signed() + term.carry) << term.shift for term in terms)
    p.show(total == multiplied(MixPE(), a, weight, Const(0)))
    return p


@proof(4, Bug(integer, "step.valid & step.first, pe", "step.first, pe"))
def mixpe_sums() -> Problem:
    """A MixPE cell of one lane sums a (w - 10) 16^plane over each segment of any stream of steps, as `*` would.

    Given: the row is 0 and the column idle in cycles without operands; planes and modes exist.
    """
    return _stream(MixPE(lanes=1), mixpe)


@proof(
    3,
    Bug(sums, "high.term.number + high.term.carry", "high.term.number"),
    slow=True,
)
def mixpe_fp16_sums() -> Problem:
    """The same with fp16 activations, 42-bit integers to the cell.

    Given: the row is 0 and the column idle in cycles without operands; planes and modes exist.
    """
    return _stream(MixPE(lanes=1, activation="fp16"), mixpe)


@proof(3, Bug(ternary, "multiple ^ weight[1]", "multiple ^ weight[0]"))
def ternary_sums() -> Problem:
    """A ternary cell of one lane sums a w over each segment of any stream of steps, for w = -2..1.

    Given: the row is 0 and the column idle in cycles without operands; planes and modes exist.
    """
    return _stream(Ternary(lanes=1), ternary)


@proof(3, Bug(int_mac, "weight[-1] & integer", "weight[-2] & integer"), slow=True)
def int_mac_sums() -> Problem:
    """A cell with the multiplication operator, of one lane, sums a w, where w is added bit by bit, signed or not.

    Given: the row is 0 and the column idle in cycles without operands; planes and modes exist.
    """
    return _stream(IntMac(lanes=1), int_mac)
