"""The CRC of frames, an octet a cycle, derived from the one in `models.link.frame`."""

from __future__ import annotations

from functools import reduce
from operator import xor

from amaranth.hdl import Cat, Value

from ...models.link import frame


def crc_step(register: Value, octet: Value) -> Value:
    """Return the 32 bits of the register after one more octet.

    The step is linear: each of its bits is the sum of those bits of the register and of the octet that, alone, make
    it 1.
    """
    sources = [*((bit, frame.step(1 << index, 0)) for index, bit in enumerate(register))]
    sources += [(bit, frame.step(0, 1 << index)) for index, bit in enumerate(octet)]
    return Cat(reduce(xor, (bit for bit, image in sources if image >> place & 1)) for place in range(32))
