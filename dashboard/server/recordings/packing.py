"""Numbers and texts as a recording has them, written and read: bounded before anything is made.

A number is signed and has seven bits a byte, the lowest first; a text is its length and
UTF-8.
"""

from __future__ import annotations

from dashboard.errors import RecordingDamaged

#: Numbers, strings and entries of a chunk or a picture: some 120 MB while it is read.
#: What we write has a few ten thousand, a picture of a busy loop a few hundred thousand.
MAX_VALUES = 2_000_000
#: What span ids of requests need: 64 bits and a sign.
MAX_NUMBER = (1 << 65) - 1
_MAX_DIGITS = 10


def put_number(out: bytearray, number: int) -> None:
    """Append a signed number, seven bits a byte, the lowest first."""
    number = number << 1 if number >= 0 else ~(number << 1)
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def put_text(out: bytearray, text: str) -> None:
    """Append a text behind its length."""
    data = text.encode("utf-8", "replace")
    put_number(out, len(data))
    out += data


class Unpacker:
    """Bytes that are read from front to back.

    Every method raises `RecordingDamaged` where what it should read is not there.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._values = 0

    def __repr__(self) -> str:
        return f"<Unpacker at {self._at} of {len(self._raw)} bytes>"

    @property
    def is_over(self) -> bool:
        """Whether all has been read."""
        return self._at >= len(self._raw)

    def take(self, length: int) -> bytes:
        """Read so many bytes."""
        start, self._at = self._at, self._at + length
        if length < 0 or self._at > len(self._raw):
            raise RecordingDamaged("a chunk ends in the middle of something")
        return self._raw[start : self._at]

    def number(self) -> int:
        """Read a number."""
        raw, at = self._raw, self._at
        number = shift = 0
        for digit in raw[at : at + _MAX_DIGITS]:
            at += 1
            number |= (digit & 0x7F) << shift
            if digit < 0x80:
                if number > MAX_NUMBER:
                    break
                self._at = at
                return number >> 1 if not number & 1 else ~(number >> 1)
            shift += 7
        raise RecordingDamaged("a number has more than 64 bits")

    def count(self, each_bytes: int = 1) -> int:
        """Read how many there are; of what takes so many bytes no more can be."""
        count = self.number()
        if not 0 <= count <= (len(self._raw) - self._at) // each_bytes:
            raise RecordingDamaged(f"it says that it has {count:,} of something")
        return count

    def many(self, each_bytes: int = 1, each_values: int = 1) -> int:
        """Read how many there are of what becomes so many objects each."""
        count = self.count(each_bytes)
        self.spend(count * each_values)
        return count

    def spend(self, count: int) -> None:
        """Count what is made of the bytes."""
        self._values += count
        if self._values > MAX_VALUES:
            raise RecordingDamaged(
                f"a chunk has more than {MAX_VALUES:,} numbers and strings"
            )

    def text(self) -> str:
        """Read a text."""
        return self.take(self.count()).decode("utf-8", "replace")
