"""DUMP payloads made by hand, to show to a real server. Bitwise and slow, but with nothing of the code under test."""
CRC64 = 0x95ac9329ac4bc9b5          # Jones' polynomial, reflected
RDB_VERSION = 10                    # what Redis 7.0 writes and all later ones read


def make_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (CRC64 if value & 1 else 0)
        table.append(value)
    return table


TABLE = make_table()


def crc64(data):
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc


def restore_payload(value):
    """What RESTORE takes, of a type byte and a value as in an RDB file."""
    data = value + RDB_VERSION.to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


def write_length(number):
    """A length as in RDB files. Source: https://rdb.fnordig.de/file_format.html#length-encoding"""
    if number < 64:
        return bytes([number])
    if number < 16384:
        return bytes([0x40 | number >> 8, number & 255])
    return b"\x80" + number.to_bytes(4, "big")


def read_length(data):
    """(number, bytes it takes), of a length that is no encoding of a string."""
    if data[0] < 64:
        return data[0], 1
    if data[0] < 128:
        return (data[0] & 63) << 8 | data[1], 2
    if data[0] != 0x80:
        raise ValueError(f"no length: {data[:5]}")
    return int.from_bytes(data[1:5], "big"), 5
