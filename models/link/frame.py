"""Frames on a serial line, as in HDLC-like framing (RFC 1662): flags around, octets stuffed, a CRC-32 at the end.

A frame is a flag, the body and its CRC with flags and escapes among them replaced, and a flag; one flag may end a frame
and start the next. Whatever was disturbed, the next flag is a fresh start. The CRC is CRC-32/ISO-HDLC, that of
Ethernet: it finds all errors of up to three bits in a frame of this size and all bursts of up to 32 bits; others escape
it with a probability of 2^-32.
"""

from __future__ import annotations

FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20
"""Octets that mean something: start and end of a frame; the next octet is another one, exclusive-or `FLIP`."""

POLYNOMIAL = 0xEDB88320
"""Of the CRC, without x^32, x^0 in bit 31: 26, 23, 22, 16, 12, 11, 10, 8, 7, 5, 4, 2, 1 and 0 are its other powers."""

ONES = 0xFFFFFFFF
"""What the register of the CRC starts from, and what is added to it at the end."""

CRC_BYTES = 4
HEADER_BYTES = 8
LARGEST_DATA = 1024
LARGEST_BODY = HEADER_BYTES + LARGEST_DATA
SMALLEST_BODY = 3
"""Bytes of the shortest body that anybody sends: an answer without data."""


def step(register: int, octet: int) -> int:
    """Return the register of the CRC after one more octet."""
    register ^= octet
    for _ in range(8):
        register = register >> 1 ^ (POLYNOMIAL if register & 1 else 0)
    return register


_TABLE = [step(0, octet) for octet in range(256)]


def register(octets: bytes) -> int:
    """Return the register of the CRC after `octets`."""
    value = ONES
    for octet in octets:
        value = value >> 8 ^ _TABLE[(value ^ octet) & 0xFF]
    return value


def crc(body: bytes) -> bytes:
    """Return the CRC of a body, in the order in which it travels."""
    return (register(body) ^ ONES).to_bytes(CRC_BYTES, "little")


RESIDUE = register(crc(b""))
"""What the register holds after any body and its CRC."""


def stuff(octets: bytes) -> bytes:
    """Return `octets` with flags and escapes among them replaced."""
    special = (FLAG, ESCAPE)
    return bytes(each for octet in octets for each in ([ESCAPE, octet ^ FLIP] if octet in special else [octet]))


def frame(body: bytes) -> bytes:
    """Return the frame around a body.

    Raises
    ------
    ValueError : if the body is longer than `LARGEST_BODY`.
    """
    if len(body) > LARGEST_BODY:
        raise ValueError(f"a body of {len(body)} bytes is longer than {LARGEST_BODY}")
    return bytes([FLAG]) + stuff(body + crc(body)) + bytes([FLAG])


class Receiver:
    """Finds the sound frames in a stream of octets.

    Parameters
    ----------
    smallest : bytes of the shortest body that is taken for one.
    """

    def __init__(self, smallest: int = SMALLEST_BODY) -> None:
        self._smallest = smallest
        self._octets = bytearray()
        self._escaped = False
        self._sound = False  # nothing before the first flag belongs to a frame

    def feed(self, octets: bytes) -> list[bytes]:
        """Return the bodies of the frames that end within the next octets of the stream."""
        return [body for octet in octets if (body := self._take(octet)) is not None]

    def damage(self) -> None:
        """Give up the frame that is under way: an octet did not arrive as one."""
        self._sound = False

    def _take(self, octet: int) -> bytes | None:
        if octet == FLAG:
            octets, whole = bytes(self._octets), self._sound and not self._escaped
            self._octets.clear()
            self._sound, self._escaped = True, False
            long_enough = len(octets) >= self._smallest + CRC_BYTES
            return octets[:-CRC_BYTES] if whole and long_enough and register(octets) == RESIDUE else None
        if octet == ESCAPE and not self._escaped:
            self._escaped = True
        elif len(self._octets) == LARGEST_BODY + CRC_BYTES:
            self._sound = False
        else:
            self._octets.append(octet ^ FLIP if self._escaped else octet)
            self._escaped = False
        return None
