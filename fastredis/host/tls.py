"""TLS as the settings ask for it: contexts for connections that come and for those that go, and their certificates.

    settings --wanted_of()--> build() --Contexts--> Tls.contexts --> TlsTransport (host/tls_transport)

A change makes new contexts, and connections that are there keep theirs. What can't be built changes nothing: the old
contexts stay. Reading again what has changed on the disk (`tls-auto-reload-interval`) is done in a thread.

OpenSSL is Python's own. What its ssl module has no name for is called in the library that it uses (Native); a Python
whose OpenSSL can't be called has no such settings, and refuses them.
Sources: https://valkey.io/topics/tls/, redis.io/docs/latest/operate/oss_and_stack/management/security/encryption
"""

import functools
import hashlib
import os
import ssl
import stat
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from fastredis.config.config import Config, ConfigError
from fastredis.host.certificates import Certificate, pem_certificates, read_certificate
from fastredis.host.logs import Logger
from fastredis.text import to_bytes

UNUSABLE = "Unable to update TLS configuration. Check server logs."
NO_AUTHORITY = ("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or "
                "tls-auth-clients are enabled!")
BAD_PROTOCOLS = "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'."
NO_NATIVE = "The OpenSSL of this Python can't be asked for {}"

PROTOCOLS = {
    "tlsv1": (ssl.TLSVersion.TLSv1, ssl.OP_NO_TLSv1),
    "tlsv1.1": (ssl.TLSVersion.TLSv1_1, ssl.OP_NO_TLSv1_1),
    "tlsv1.2": (ssl.TLSVersion.TLSv1_2, ssl.OP_NO_TLSv1_2),
    "tlsv1.3": (ssl.TLSVersion.TLSv1_3, ssl.OP_NO_TLSv1_3),
}
DEFAULT_PROTOCOLS = "TLSv1.2 TLSv1.3"
DEFAULT_CIPHERS = "DEFAULT"                 # OpenSSL's, as redis-server's
VERIFY = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}

# What build() looks at, each by its name in Wanted; a change of one of them is a new build.
FILES = ("tls-cert-file", "tls-key-file", "tls-client-cert-file", "tls-client-key-file", "tls-ca-cert-file",
         "tls-ca-cert-dir", "tls-dh-params-file")
OTHERS = ("tls-key-file-pass", "tls-client-key-file-pass", "tls-protocols", "tls-ciphers", "tls-ciphersuites",
          "tls-prefer-server-ciphers", "tls-session-caching", "tls-session-cache-size", "tls-session-cache-timeout",
          "tls-replication", "tls-cluster")

# openssl/ssl.h
CTRL_SET_SESS_CACHE_SIZE, CTRL_SET_SESS_CACHE_MODE, CTRL_SET_DH_AUTO = 42, 44, 118
SESS_CACHE_OFF = 0


class TlsError(Exception):
    """There can be no such contexts; the text is for the log."""


Wanted: TypeAlias = dict[str, Any]      # the settings, by name; files are absolute paths, or empty


def wanted_of(config: Config) -> Wanted:
    """The settings as they are now."""
    wanted = {name: config[name] for name in (*OTHERS, "tls-auth-clients")}
    for name in FILES:
        path = config[name]
        wanted[name] = config["dir"].absolute(path) if path else ""
    return wanted


class Contexts(NamedTuple):
    """What connections are made with, and certificates: the server's, the client's if it has one, the authority's."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    server_certificate: Certificate
    client_certificate: Certificate | None
    authority: Certificate | None           # that which ends first


class Native:
    """Functions of OpenSSL, in the library that Python's module uses. Errors: TlsError if that can't be called."""

    def __init__(self) -> None:
        import ctypes

        module = ssl._ssl                   # type: ignore[attr-defined]
        try:
            library = ctypes.CDLL(getattr(module, "__file__", None))
            pointer = ctypes.c_void_p
            self.ctrl = library.SSL_CTX_ctrl
            self.ctrl.argtypes, self.ctrl.restype = (pointer, ctypes.c_int, ctypes.c_long, pointer), ctypes.c_long
            self.set_timeout = library.SSL_CTX_set_timeout
            self.set_timeout.argtypes, self.set_timeout.restype = (pointer, ctypes.c_long), ctypes.c_long
            self.set_ciphersuites = library.SSL_CTX_set_ciphersuites
            self.set_ciphersuites.argtypes = pointer, ctypes.c_char_p
        except (OSError, AttributeError) as error:
            raise TlsError(f"OpenSSL can't be called: {error}") from None


@functools.cache
def native() -> Native | None:
    try:
        return Native()
    except TlsError:
        return None


def address_of(context: ssl.SSLContext) -> int:
    """Where the SSL_CTX is: CPython's object begins with it, behind what all objects have."""
    import ctypes

    return ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value or 0


def reason_of(error: Exception) -> str:
    """An error of a file or of OpenSSL for the log."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"{error.library} routines::{error.reason.lower().replace('_', ' ')}"
    if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return str(error)


# --- building ---------------------------------------------------------------------------


def build(wanted: Wanted) -> Contexts:
    """Errors: TlsError."""
    if not wanted["tls-cert-file"]:
        raise TlsError("No tls-cert-file configured!")
    if not wanted["tls-key-file"]:
        raise TlsError("No tls-key-file configured!")
    needs_authority = wanted["tls-auth-clients"] != "no" or wanted["tls-cluster"] or wanted["tls-replication"]
    if needs_authority and not wanted["tls-ca-cert-file"] and not wanted["tls-ca-cert-dir"]:
        raise TlsError(NO_AUTHORITY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)     # of old protocols, which have been asked for
        server, certificate, authorities = new_context(wanted, ssl.PROTOCOL_TLS_SERVER, "tls-", "Server")
        set_up_server(server, wanted)
        has_own = bool(wanted["tls-client-cert-file"] and wanted["tls-client-key-file"])
        prefix = "tls-client-" if has_own else "tls-"
        client, own, _ = new_context(wanted, ssl.PROTOCOL_TLS_CLIENT, prefix, "Client")
    client.verify_mode = ssl.CERT_REQUIRED
    return Contexts(server, client, certificate, own if has_own else None,
                    min(authorities, key=lambda each: each.not_after) if authorities else None)


def new_context(wanted: Wanted, side: int, prefix: str, who: str
                ) -> tuple[ssl.SSLContext, Certificate, list[Certificate]]:
    """A context with what both sides have in common, its certificate, and those of the authorities.

    prefix: of the settings that name its certificate and key.
    """
    context = ssl.SSLContext(side)
    context.check_hostname = False              # a certificate stands for whoever has its key, as in Redis
    set_protocols(context, wanted["tls-protocols"] or DEFAULT_PROTOCOLS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    certificate = load_certificate(context, wanted[f"{prefix}cert-file"], wanted[f"{prefix}key-file"],
                                   wanted[f"{prefix}key-file-pass"] or "", who)
    authorities = load_authorities(context, wanted)
    ciphers = wanted["tls-ciphers"] or DEFAULT_CIPHERS
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        raise TlsError(f"Failed to configure ciphers: {ciphers}") from None
    if wanted["tls-ciphersuites"]:
        set_ciphersuites(context, wanted["tls-ciphersuites"])
    return context, certificate, authorities


def set_protocols(context: ssl.SSLContext, text: str) -> None:
    words = [word.lower() for word in text.split(" ") if word]
    if not words or any(word not in PROTOCOLS for word in words):
        raise TlsError(BAD_PROTOCOLS)
    context.minimum_version = min(PROTOCOLS[word][0] for word in words)
    context.maximum_version = max(PROTOCOLS[word][0] for word in words)
    for word, (_, option) in PROTOCOLS.items():
        if word not in words:
            context.options |= option


def load_certificate(context: ssl.SSLContext, file: str, key_file: str, password: str, who: str) -> Certificate:
    """The certificate with its chain, and its key. Nobody is asked for a password."""
    try:
        with open(file, "rb") as stream:
            certificate = read_certificate(pem_certificates(stream.read())[0])
    except IndexError:
        raise TlsError(f"Failed to load certificate: {file}: there is none in it") from None
    except (OSError, ValueError) as error:
        raise TlsError(f"Failed to load certificate: {file}: {reason_of(error)}") from None
    if not certificate.is_valid(time.time()):
        raise TlsError(f"{who} TLS certificate is invalid. Aborting TLS configuration.")
    try:
        context.load_cert_chain(file, key_file, lambda: to_bytes(password))
    except (OSError, ValueError) as error:
        raise TlsError(f"Failed to load private key: {key_file}: {reason_of(error)}") from None
    return certificate


def regular_files(directory: str) -> list[str]:
    """The files of a directory. Errors: OSError."""
    paths = [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if not name.startswith(".")]
    return [path for path in paths if os.path.exists(path) and stat.S_ISREG(os.stat(path).st_mode)]


def authority_files(wanted: Wanted) -> list[bytes]:
    """Certificates of authorities as DER: all of the file, the first of each file of the directory. Errors: OSError."""
    found = []
    if wanted["tls-ca-cert-file"]:
        with open(wanted["tls-ca-cert-file"], "rb") as stream:
            found += pem_certificates(stream.read())
    if wanted["tls-ca-cert-dir"]:
        for path in regular_files(wanted["tls-ca-cert-dir"]):
            with open(path, "rb") as stream:
                found += pem_certificates(stream.read())[:1]
    return found


def load_authorities(context: ssl.SSLContext, wanted: Wanted) -> list[Certificate]:
    """Have certificates of peers verified by those of the authorities, which are returned."""
    file, directory = wanted["tls-ca-cert-file"], wanted["tls-ca-cert-dir"]
    if not file and not directory:
        return []
    try:
        context.load_verify_locations(file or None, directory or None)
        found = authority_files(wanted)
        for each in found if directory else ():         # also those that are not under the name of their hash
            context.load_verify_locations(cadata=each)
        authorities = [read_certificate(each) for each in found]
    except (OSError, ValueError) as error:
        raise TlsError(f"Failed to configure CA certificate(s) file/directory: {reason_of(error)}") from None
    now_s = time.time()
    if not all(each.is_valid(now_s) for each in authorities):
        raise TlsError("One or more loaded CA certificates are invalid. Aborting TLS configuration.")
    return authorities


def set_ciphersuites(context: ssl.SSLContext, names: str) -> None:
    openssl = native()
    if openssl is None:
        raise TlsError(NO_NATIVE.format("tls-ciphersuites"))
    if not openssl.set_ciphersuites(address_of(context), to_bytes(names)):
        raise TlsError(f"Failed to configure ciphersuites: {names}")


def set_up_server(context: ssl.SSLContext, wanted: Wanted) -> None:
    """What only the side that is connected to has."""
    context.verify_mode = VERIFY[wanted["tls-auth-clients"]]
    if not wanted["tls-prefer-server-ciphers"]:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    openssl, address = native(), address_of(context)
    if wanted["tls-dh-params-file"]:
        file = wanted["tls-dh-params-file"]
        try:
            context.load_dh_params(file)
        except (OSError, ValueError) as error:
            raise TlsError(f"Failed to load DH params file: {file}: {reason_of(error)}") from None
    elif openssl is not None:
        openssl.ctrl(address, CTRL_SET_DH_AUTO, 1, None)
    cache = (wanted["tls-session-cache-size"], wanted["tls-session-cache-timeout"])
    if not wanted["tls-session-caching"]:
        context.options |= ssl.OP_NO_TICKET     # of TLS 1.2
        context.num_tickets = 0                 # of TLS 1.3
        if openssl is not None:
            openssl.ctrl(address, CTRL_SET_SESS_CACHE_MODE, SESS_CACHE_OFF, None)
    elif openssl is not None:
        openssl.ctrl(address, CTRL_SET_SESS_CACHE_SIZE, cache[0], None)
        openssl.set_timeout(address, cache[1])
    elif cache != (20480, 300):
        raise TlsError(NO_NATIVE.format("tls-session-cache-size and tls-session-cache-timeout"))


# --- what has changed on the disk ---------------------------------------------------------


def state_of(wanted: Wanted) -> list:
    """What the files are now: of certificates the content, of keys and directories which file it is, and its time."""
    state: list = []
    for name in FILES:
        path = wanted[name]
        try:
            if not path:
                state.append(None)
            elif name in ("tls-key-file", "tls-client-key-file", "tls-ca-cert-dir"):
                found = os.stat(path)
                state.append((found.st_ino, found.st_mtime_ns))
            else:
                with open(path, "rb") as stream:
                    state.append(hashlib.sha256(stream.read()).digest())
        except OSError as error:
            state.append(error.errno)
    return state


# --- one server's -------------------------------------------------------------------------


class Tls:
    """The contexts of one server, as its settings are. contexts: None while nothing needs any.

    run_in_thread: calls a function in a thread, and returns a future of what it returns.
    """

    def __init__(self, config: Config, log: Logger, run_in_thread: Callable):
        self.contexts: Contexts | None = None
        self._config, self._log, self._run_in_thread = config, log, run_in_thread
        self._state: list = []
        self._looked_s = 0.0                # when the files were looked at last (monotonic)
        self._looking = False
        self._generation = 0                # of contexts: what was read before a change is not used after it
        for name in (*FILES, *OTHERS):
            config.on_change(name, self._change)
        config.on_change("tls-auth-clients", self._change_verification)

    @property
    def is_wanted(self) -> bool:
        config = self._config
        return bool(config["tls-port"] or config["tls-replication"] or config["tls-cluster"])

    def configure(self) -> bool:
        """Have contexts as the settings are; False, and the log says why: there can be none, and the old ones stay."""
        wanted = wanted_of(self._config)
        try:
            state = state_of(wanted)
            self._use(build(wanted), state)
        except TlsError as error:
            self._log.warning(str(error))
            return False
        return True

    def _use(self, contexts: Contexts, state: list) -> None:
        self.contexts, self._state = contexts, state
        self._generation += 1
        self._looked_s = time.monotonic()
        self._change_verification(self._config)

    def require(self) -> None:
        """Have contexts, from before or new. Errors: ConfigError."""
        if self.contexts is None and not self.configure():
            raise ConfigError(UNUSABLE)

    def _change(self, config: Config) -> None:
        if not self.is_wanted:
            self.contexts = None            # they would be of other settings when they are needed again
        elif not self.configure():
            raise ConfigError(UNUSABLE)

    def _change_verification(self, config: Config) -> None:
        """Whom it is asked of is decided when somebody connects."""
        if self.contexts is not None:
            self.contexts.server.verify_mode = VERIFY[config["tls-auth-clients"]]

    # --- reading again ------------------------------------------------------------------

    def cron(self) -> None:
        """See at every tls-auto-reload-interval whether files have changed."""
        interval_s = self._config["tls-auto-reload-interval"]
        if not interval_s or self.contexts is None or self._looking:
            return
        if time.monotonic() - self._looked_s >= interval_s:
            self._looking = True
            generation = self._generation
            reading = self._run_in_thread(self._read_again, wanted_of(self._config), self._state)
            reading.add_done_callback(lambda future: self._reload(generation, future))

    @staticmethod
    def _read_again(wanted: Wanted, known: list) -> tuple[Contexts | str | None, list]:
        """In a thread: what there is now, why it is of no use, or None: it is what is known."""
        state = state_of(wanted)
        if state == known:
            return None, state
        try:
            return build(wanted), state
        except TlsError as error:
            return str(error), state

    def _reload(self, generation: int, reading) -> None:
        self._looking = False
        self._looked_s = time.monotonic()
        if reading.cancelled() or generation != self._generation:
            return
        contexts, state = reading.result()
        if contexts is None:
            self._log.debug("TLS reload skipped: materials unchanged")
        elif isinstance(contexts, str):
            self._log.limited("tls reload", 3, contexts)
            self._log.limited("tls reload", 3, "Background TLS reload failed")
        else:
            self._log.notice("TLS materials changed, reloading in background")
            self._use(contexts, state)
            self._log.notice("TLS materials reloaded successfully")

    # --- for INFO -----------------------------------------------------------------------

    def fields(self) -> list[tuple[str, object]]:
        """Serial numbers, and seconds until certificates end; of the authorities' the one that ends first."""
        contexts = self.contexts if self.is_wanted else None
        server, client, authority = contexts[2:] if contexts is not None else (None, None, None)
        now_s, fields = int(time.time()), []
        for name, certificate in (("server", server), ("client", client), ("ca", authority)):
            fields.append((f"tls_{name}_cert_serial", certificate.serial if certificate else "none"))
            fields.append((f"tls_{name}_cert_expires_in_seconds", certificate.not_after - now_s if certificate else 0))
        return fields
