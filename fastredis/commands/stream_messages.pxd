# Messages of idempotent producers, as XADD, XIDMPRECORD and XCFGSET have them; see values/stream_idmp.

from fastredis._resp cimport Arg
from fastredis.ds.id_tree cimport Id
from fastredis.engine.client cimport Client
from fastredis.values.stream_type cimport Stream

cdef enum:
    IID_SIZE = 16                       # bytes of a name that is made of what is in a message

cdef struct Message:
    Arg* pid                            # the producer
    const char* iid                     # the message's own name, which may be `made`
    size_t iid_size
    char[IID_SIZE] made
    Id id                               # message_known(): of its entry

# Name a message by its fields and values, in whatever order they come.
cdef void name_message(Message* message, const Arg* pairs, int count) noexcept
# Whether the producer has sent the message already; then that is counted.
cdef bint message_known(Client c, Stream* s, Message* message) noexcept
# Remember it, and propagate that.
cdef int message_added(Client c, Stream* s, const Message* message, Id id) except -1
# Have what a stream keeps of messages, with the settings' limits if it is new.
cdef int want_idmp(Client c, Stream* s) except -1
