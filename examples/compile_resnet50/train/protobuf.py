"""The wire format of protocol buffers, as far as networks need it.

A message is written as the concatenation of its fields, and read as a list of
(field number, value), where a value is an int for a varint and bytes for
everything else.
"""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_SIZE = {FIXED64: 8, FIXED32: 4}


def varint(value):
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def tag(number, kind):
    return varint(number << 3 | kind)


def integer(number, value):
    return tag(number, VARINT) + varint(value)


def data(number, value):
    """A field of bytes, text or an encoded message."""
    value = value.encode() if isinstance(value, str) else value
    return tag(number, BYTES) + varint(len(value)) + value


def fixed32(number, value):
    return tag(number, FIXED32) + value


def read_varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(message):
    found = []
    at = 0
    while at < len(message):
        key, at = read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = read_varint(message, at)
        else:
            if kind == BYTES:
                size, at = read_varint(message, at)
            else:
                size = FIXED_SIZE[kind]
            value = message[at : at + size]
            at += size
        found.append((number, value))
    return found
