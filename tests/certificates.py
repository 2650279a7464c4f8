"""Certificates for tests of TLS, made when they are needed; and a client that has one.

    made = Certificates(directory)          an authority, and of it: server, client
    made.issue("other", common_name="bob")  -> Pair of paths
    made.options("client")                  --tls-... of a server
"""
import datetime
import socket
import ssl
import sys
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.resp import Client

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)


class Pair(NamedTuple):
    """Paths of a certificate and of its key."""

    certificate: Path
    key: Path


class Certificates:
    """An authority in a directory, and what it has signed."""

    def __init__(self, directory, days=30):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.authority_key = ec.generate_private_key(ec.SECP256R1())
        unlike_others = self.name(f"authority {x509.random_serial_number():x}"[:64])
        self.authority = self.sign(unlike_others, self.authority_key, None, days=days)
        self.authority_file = self.directory / "ca.crt"
        self.authority_file.write_bytes(self.authority.public_bytes(serialization.Encoding.PEM))
        self.server, self.client = self.issue("server", dns="localhost"), self.issue("client")

    @staticmethod
    def name(common_name):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])

    def sign(self, subject, key, issuer, first=NOW - DAY, days=30, names=()):
        builder = x509.CertificateBuilder(
            subject_name=subject, issuer_name=issuer.subject if issuer else subject, public_key=key.public_key(),
            serial_number=x509.random_serial_number(), not_valid_before=first, not_valid_after=first + days * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.authority_key, hashes.SHA256())

    def issue(self, file, common_name="somebody", uris=(), dns=None, password=None, rsa_key=False, **when):
        """A certificate and its key, in files of that name. Names are as they are, with any bytes in them."""
        key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        names = [x509.UniformResourceIdentifier(uri) for uri in uris] + ([x509.DNSName(dns)] if dns else [])
        certificate = self.sign(self.name(common_name), key, self.authority, names=names, **when)
        pair = Pair(self.directory / f"{file}.crt", self.directory / f"{file}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden))
        return pair

    def options(self, pair=None):
        """Of a server with the certificate of a pair (the one that is called server)."""
        pair = pair or self.server
        return ("--tls-cert-file", str(pair.certificate), "--tls-key-file", str(pair.key),
                "--tls-ca-cert-file", str(self.authority_file))

    def context(self, pair=None, trusted=None):
        """For a client with the certificate of a pair; None: without one."""
        context = ssl.create_default_context(cafile=str(trusted or self.authority_file))
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return context


class TlsClient(Client):
    """A Client over TLS."""

    def __init__(self, port, context, timeout=10.0, protocol=2):
        self.context = context
        super().__init__(port, timeout=timeout)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost", suppress_ragged_eofs=False)
        if protocol == 3:
            self.call("HELLO", "3")

    @classmethod
    def plain_socket(cls, port):
        return socket.create_connection(("127.0.0.1", port), 10)


if __name__ == "__main__":
    Certificates(sys.argv[1])
