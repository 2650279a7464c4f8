"""TLS between a transport and a protocol, and for sockets without transports.

    loop's transport <--records--> TlsTransport <--bytes--> Connection

The loops have TLS of their own. This one is here since theirs hide how much waits to be sent (from which
client-output-buffer-limit follows), wait at the end for the other side, and take more time. Records go from Python's
ssl module to send(2) with no detour; what the kernel refuses waits, encrypted, in the loop's transport, which counts
it.

Nothing can block: OpenSSL reads and writes memory, and there are no renegotiations, so it has to write only what it
is given, and to answer only in the handshake. What is written before its end is kept until then.
"""

import contextlib
import socket
import ssl

from fastredis.host.tls import reason_of

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
        SHUT_RDWR
    int shutdown(int fd, int how)
    ssize_t send_bytes "send"(int fd, const void* data, size_t size, int flags)

cdef Py_ssize_t RECORD = 16 * 1024          # most bytes in one record
cdef Py_ssize_t LARGE_READ = 128 * 1024     # the loop may read on at once behind it; see fastredis.engine.connection

HANDSHAKE_SECONDS = 10.0                # then a handshake that has not come to its end is ended


cdef class Records:
    """One side of a TLS connection in memory: bytes to records, and back.

    server_name: for the other side, when this one has connected (Server Name Indication); None: an address.
    """

    cdef object incoming                # records that have come
    cdef object outgoing                # records to be sent
    cdef readonly object session        # ssl.SSLObject
    cdef readonly bint is_open          # the handshake is done
    cdef bint is_partial                # OpenSSL has a part of a record already
    cdef object trouble                 # what read_all() met behind the bytes that it returned; None: nothing

    def __init__(self, context not None, bint is_server, server_name=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, is_server, server_name)

    def feed(self, data):
        """Records have come."""
        self.incoming.write(data)

    def shake_hands(self):
        """Go on with the handshake; whether it is done. Then take() what is to be sent. Errors: ssl.SSLError."""
        try:
            self.session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.is_open = True
        return True

    cpdef bytes take(self):
        """Records that are to be sent."""
        return self.outgoing.read()

    cpdef int write(self, data) except -1:
        """Encrypt bytes. The handshake has to be done."""
        cdef Py_ssize_t size = len(data)
        cdef Py_ssize_t done

        if size <= RECORD:
            if size:
                self.session.write(data)
            return 0
        view = memoryview(data)
        done = 0
        while done < size:
            done += self.session.write(view[done:done + RECORD])
        return 0

    cpdef bytes read(self):
        """The bytes of the next record; none: it has not come whole.

        Errors: EOFError, the other side has ended it; ssl.SSLError.
        """
        cdef Py_ssize_t size = self.incoming.pending

        if size == 0:
            if self.trouble is not None:
                raise self.trouble
            return b""
        if self.is_partial or size > RECORD:
            size = RECORD
        try:
            data = self.session.read(size)      # of one record, and never a part of it: it is not longer than this
        except ssl.SSLWantReadError:
            self.is_partial = True
            return b""
        except ssl.SSLZeroReturnError:
            raise EOFError from None
        if not data:
            raise EOFError
        self.is_partial = False
        return data

    def read_all(self):
        """The bytes of all records that have come. Errors, if there are none: those of read()."""
        pieces = []
        try:
            while data := self.read():
                pieces.append(data)
        except (EOFError, ssl.SSLError) as error:
            if not pieces:
                raise
            self.trouble = error
        return b"".join(pieces)

    cpdef bint say_goodbye(self) except -1:
        """Tell the other side that nothing more will come."""
        if self.is_open:
            with contextlib.suppress(ssl.SSLError, ValueError):
                self.session.unwrap()           # it would wait for the answer
        return True


cdef class TlsTransport:
    """A transport for a protocol, and a protocol for the loop's transport; `raw` may be a stand-in at first.

    secured     called with this transport when the handshake is done, before any bytes of the other side are passed on
    failed      called with the reason when it has failed, before the protocol hears of the end
    """

    cdef readonly object protocol       # None: there is none yet, or it knows that this has ended
    cdef readonly object raw            # the transport below; None: it is gone
    cdef readonly Records records
    cdef readonly object context
    cdef object secured
    cdef object failed
    cdef object timer                   # of the handshake
    cdef object loop
    cdef list early                     # written before the handshake was done
    cdef Py_ssize_t early_size
    cdef int fd                         # -1: nothing may be sent past the transport below
    cdef bint is_server
    cdef bint backed_up                 # it holds bytes, or did when looked at last
    cdef bint paused
    cdef bint closing
    cdef bint lost                      # the protocol knows that it has ended

    def __init__(self, loop, protocol, raw, context, bint is_server, secured, failed, server_name=None):
        self.loop, self.protocol, self.raw, self.context = loop, protocol, raw, context
        self.secured, self.failed = secured, failed
        self.is_server = is_server
        self.records = Records(context, is_server, server_name)
        self.early = []
        self.fd = -1
        if raw is not None:
            self.fd = raw.get_extra_info("socket").fileno()
        self.timer = loop.call_later(HANDSHAKE_SECONDS, self.time_out)

    # --- what the transport below calls -----------------------------------------------------

    def connection_made(self, raw):
        """The loop's transport is there, in place of a stand-in or as the first."""
        stand_in, self.raw = self.raw, raw
        if self.lost or (self.closing and not self.early):
            raw.abort()
            return
        raw.set_write_buffer_limits(0)
        self.fd = raw.get_extra_info("socket").fileno()
        if stand_in is not None and stand_in.unsent:
            raw.write(stand_in.unsent)
            self.backed_up = raw.get_write_buffer_size() > 0
        if not self.is_server:
            self.go_on()                # who has connected begins

    def data_received(self, data):
        """Records have come."""
        if self.lost or (self.closing and self.records.is_open):
            return
        self.records.feed(data)
        if self.records.is_open or self.go_on():
            self.pump()
        if len(data) >= LARGE_READ and self.raw is not None and not self.raw.is_closing():
            self.raw.pause_reading()            # records of few bytes take long: others shall have their turn
            self.loop.call_soon(self.read_on)

    def eof_received(self):
        """There will be no more; the connection ends, as Redis does."""
        if not self.records.is_open:
            self.fail("the other side has left")
        elif not self.closing and not self.protocol.eof_received():
            self.close()
        return False

    def connection_lost(self, error):
        """The transport below is gone."""
        if self.fd >= 0:
            shutdown(self.fd, SHUT_RDWR)        # a child may have the socket, too
        self.fd = -1
        self.raw = None
        self.end(error)

    def pause_writing(self):
        if self.protocol is not None:
            self.protocol.pause_writing()

    def resume_writing(self):
        self.backed_up = False
        if self.protocol is not None:
            self.protocol.resume_writing()

    # --- the handshake ----------------------------------------------------------------------

    cdef bint go_on(self) except -1:
        """Go on with the handshake; whether it is done."""
        try:
            done = self.records.shake_hands()
        except ssl.SSLError as error:
            self.send()                         # the alert that says why
            self.fail(reason_of(error))
            return False
        self.send()
        if not done:
            return False
        self.timer.cancel()
        early, self.early, self.early_size = self.early, [], 0
        secured, self.secured, self.failed = self.secured, None, None
        for data in early:
            self.write(data)
        if self.closing:
            self.finish()
            return False
        secured(self)
        return not self.closing and not self.lost

    def time_out(self):
        if not self.records.is_open and not self.lost:
            self.fail("the handshake took too long")

    def fail(self, reason):
        """The handshake will come to nothing."""
        failed, self.failed, self.secured = self.failed, None, None
        self.early.clear()
        self.early_size = 0
        if failed is not None and not self.closing:
            failed(reason)
        self.closing = True
        if self.raw is not None:
            self.raw.close()

    # --- records ----------------------------------------------------------------------------

    cdef int pump(self) except -1:
        """Give the protocol what has come."""
        while not self.closing and not self.lost and not self.paused:
            try:
                data = self.records.read_all()      # in one piece, so that they share a slice of time
            except EOFError:
                self.close()
                return 0
            except ssl.SSLError as error:
                self.send()
                self.abort()
                return 0
            if not data:
                return 0
            self.protocol.data_received(data)
        return 0

    cdef int send(self) except -1:
        """Send what is encrypted: at once, unless some waits already."""
        cdef bytes data = self.records.take()
        cdef ssize_t size = len(data)
        cdef ssize_t sent = 0

        if size == 0 or self.raw is None:
            return 0
        if self.backed_up and self.raw.get_write_buffer_size() == 0:
            self.backed_up = False
        if self.fd >= 0 and not self.backed_up:
            sent = send_bytes(self.fd, <const char*>data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
            if sent == size:
                return 0
            if sent < 0:
                sent = 0                # EAGAIN, or an error that the transport will meet too
        if not self.raw.is_closing():
            self.raw.write(data[sent:] if sent else data)
            self.backed_up = self.raw.get_write_buffer_size() > 0
        return 0

    cdef int end(self, error) except -1:
        """The protocol hears that the connection is gone."""
        if self.lost:
            return 0
        self.lost = self.closing = True
        self.timer.cancel()
        failed, self.failed, self.secured = self.failed, None, None
        if failed is not None and error is not None:
            failed(str(error))
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connection_lost(error)
        return 0

    cdef int finish(self) except -1:
        """Send the end, and let the transport below send what it holds."""
        self.records.say_goodbye()
        self.send()
        self.raw.close()
        return 0

    # --- what a protocol calls ----------------------------------------------------------------

    def write(self, data):
        """Send bytes."""
        if self.lost:
            return
        if not self.records.is_open:
            self.early.append(bytes(data))
            self.early_size += len(data)
            return
        self.records.write(data)
        self.send()

    def close(self):
        """End the connection when all is sent."""
        if self.closing:
            return
        self.closing = True
        if self.raw is None:
            return
        if self.records.is_open:
            self.finish()
        elif not self.early:
            self.raw.close()

    def abort(self):
        """End it at once."""
        self.closing = True
        self.early.clear()
        self.early_size = 0
        if self.raw is not None:
            if not self.backed_up and not self.raw.is_closing():
                self.records.say_goodbye()
                self.send()
            self.raw.abort()

    def is_closing(self):
        return self.closing or self.raw is None or self.raw.is_closing()

    def get_write_buffer_size(self):
        return self.early_size + (self.raw.get_write_buffer_size() if self.raw is not None else 0)

    def set_write_buffer_limits(self, high=None, low=None):
        if self.raw is not None:
            self.raw.set_write_buffer_limits(high, low)

    def get_extra_info(self, name, default=None):
        if name == "sslcontext":
            return self.context
        if name == "ssl_object":
            return self.records.session
        return self.raw.get_extra_info(name, default) if self.raw is not None else default

    def get_protocol(self):
        return self.protocol

    def set_protocol(self, protocol):
        self.protocol = protocol

    def pause_reading(self):
        self.paused = True
        if self.raw is not None:
            self.raw.pause_reading()

    def resume_reading(self):
        self.paused = False
        if self.raw is not None:
            self.raw.resume_reading()
            self.loop.call_soon(self.pump_later)

    def is_reading(self):
        return not self.paused

    def read_on(self):
        """Others had their turn."""
        if not self.paused and self.raw is not None and not self.raw.is_closing():
            self.raw.resume_reading()

    def pump_later(self):
        if not self.lost and self.records.is_open:
            self.pump()


def over_tls(script, records):
    """A script that yields bytes to be sent, or None for bytes that come, so that these are records; handshake first.

    It is sent b"" when nothing will come any more. Errors: EOFError in the handshake, ssl.SSLError; the script's.
    """
    came = None
    while not records.is_open:
        if came is not None:
            records.feed(came)
        done = records.shake_hands()
        if data := records.take():
            yield data
        if not done and not (came := (yield None)):
            raise EOFError
    came = None
    while True:
        try:
            data = script.send(came)
        except StopIteration:
            return
        came = None
        if data is not None:
            records.write(data)
            yield records.take()
            continue
        while came is None:
            try:
                came = records.read_all() or None
            except EOFError:
                came = b""
            if came is None:
                records_came = yield None
                if records_came:
                    records.feed(records_came)
                else:
                    came = b""


async def connect_tls(loop, make_protocol, sock, context, server_name):
    """A connection that stands already, made secure: (transport, protocol), as create_connection(). Errors: OSError."""
    if context is None:
        raise ssl.SSLError("TLS is not configured")
    ready = loop.create_future()
    protocol = make_protocol()

    def failed(reason):
        if not ready.done():
            ready.set_exception(ssl.SSLError(reason))

    def secured(transport):
        if not ready.done():
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            ready.set_result(None)

    tls = TlsTransport(loop, None, None, context, False, secured, failed, server_name)
    is_secure = False
    try:
        await loop.create_connection(lambda: tls, sock=sock)
        await ready
        is_secure = True
    finally:
        if not is_secure:               # maybe it was cancelled
            tls.abort()
    return tls, protocol


def name_of(host):
    """What Server Name Indication tells of a host (bytes or str): its name; None: it is an address, or nothing."""
    text = host.decode("utf-8", "replace") if isinstance(host, bytes) else host
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, text)
            return None
    return text or None
