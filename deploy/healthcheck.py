"""Whether the server on this machine answers: exit status 0 or 1. For Docker's HEALTHCHECK and the like.

FASTREDIS_PORT: its port. An error is an answer, too (a password is wanted, data are being loaded): the server lives.
"""
import os
import socket
import sys


def main() -> int:
    try:
        with socket.create_connection(("127.0.0.1", int(os.environ.get("FASTREDIS_PORT", "6379"))), 2) as client:
            client.sendall(b"PING\r\n")
            answer = client.recv(64)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    print(answer.decode(errors="replace").strip())
    return 0 if answer[:1] in (b"+", b"-") else 1


if __name__ == "__main__":
    sys.exit(main())
