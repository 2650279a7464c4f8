"""What is read of X.509 certificates: serial number, time of validity, and the names that may be a user's.

Python's ssl module tells this of a peer only, and as text. Here names are the bytes that are there, with whatever zero
bytes they hold. Nothing is verified: OpenSSL has done that, or will.
Source: RFC 5280, section 4.1; X.690 for DER
"""

import base64
import re
from typing import NamedTuple

PEM = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----\s*(.+?)-----END ", re.DOTALL)
COMMON_NAME = bytes.fromhex("550403")           # 2.5.4.3
SUBJECT_ALT_NAME = bytes.fromhex("551d11")      # 2.5.29.17

# Tags of DER.
INTEGER, OBJECT_ID, UTC_TIME, SEQUENCE = 0x02, 0x06, 0x17, 0x30
VERSION, EXTENSIONS = 0xA0, 0xA3                # [0] and [3] of a TBSCertificate
URI = 0x86                                      # [6] of a GeneralName
CENTURY = 50                                    # two digits of a year below it are of 2000 and later


class Item(NamedTuple):
    tag: int
    data: bytes


class Certificate(NamedTuple):
    """serial: hexadecimal digits. not_before, not_after: seconds since 1970. common_name: None if there is none."""

    serial: str
    not_before: int
    not_after: int
    common_name: bytes | None
    uris: list[bytes]

    def is_valid(self, now_s: float) -> bool:
        return self.not_before <= now_s <= self.not_after


def pem_certificates(text: bytes) -> list[bytes]:
    """The certificates in a PEM file, each as DER. Errors: ValueError."""
    return [base64.b64decode(found) for found in PEM.findall(text)]


def items(data: bytes) -> list[Item]:
    """The values that follow each other in DER. Errors: ValueError."""
    found, at = [], 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("a value is cut off")
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            digits = size & 0x7F
            size = int.from_bytes(data[at:at + digits], "big")
            at += digits
        if at + size > len(data):
            raise ValueError("a value is cut off")
        found.append(Item(tag, data[at:at + size]))
        at += size
    return found


def take(parts: list[Item], tag: int) -> bytes:
    """The next value, which has to have that tag."""
    if not parts or parts[0].tag != tag:
        raise ValueError("another value is there than X.509 has")
    return parts.pop(0).data


def moment(item: Item) -> int:
    """A UTCTime or a GeneralizedTime."""
    import calendar

    text = item.data.decode("ascii")
    if item.tag == UTC_TIME:
        text = ("20" if int(text[:2]) < CENTURY else "19") + text
    fields = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z", text)
    if fields is None:
        raise ValueError("a time is in no form that X.509 has")
    return calendar.timegm(tuple(map(int, fields.groups())))


def serial_text(data: bytes) -> str:
    number = int.from_bytes(data, "big", signed=True)
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + ("0" if len(digits) % 2 else "") + digits


def common_name_of(subject: bytes) -> bytes | None:
    for relative in items(subject):
        for attribute in items(relative.data):
            name, value = items(attribute.data)[:2]
            if name == Item(OBJECT_ID, COMMON_NAME):
                return value.data
    return None


def uris_of(extensions: bytes) -> list[bytes]:
    for extension in items(items(extensions)[0].data):
        parts = items(extension.data)
        if parts[0] == Item(OBJECT_ID, SUBJECT_ALT_NAME):
            names = items(parts[-1].data)
            return [name.data for name in items(names[0].data) if name.tag == URI]
    return []


def read_certificate(der: bytes) -> Certificate:
    """Errors: ValueError."""
    try:
        parts = items(items(items(der)[0].data)[0].data)
        if parts[0].tag == VERSION:
            parts.pop(0)
        serial = take(parts, INTEGER)
        take(parts, SEQUENCE)                   # algorithm of the signature
        take(parts, SEQUENCE)                   # issuer
        begin, end = items(take(parts, SEQUENCE))
        subject = take(parts, SEQUENCE)
        extensions = [part.data for part in parts if part.tag == EXTENSIONS]
        return Certificate(serial_text(serial), moment(begin), moment(end), common_name_of(subject),
                           uris_of(extensions[0]) if extensions else [])
    except IndexError:
        raise ValueError("the certificate is not whole") from None
