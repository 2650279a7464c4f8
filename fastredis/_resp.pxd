# Incremental parser of RESP requests, and their writer. It knows bytes, not commands.
#
#   *3\r\n $3\r\nSET\r\n $1\r\nk\r\n $5\r\nhello\r\n        multibulk; or inline: SET k hello\r\n
#             ^ptr,size   ^          ^                      an Arg is a slice of the received bytes
#
# parse_batch() takes as many whole requests as are there, up to BATCH, so that the
# dispatcher can hash and prefetch all their keys before it runs the first of them.
#
# A request that is not whole yet leaves its state in the Parser: how many arguments are
# to come, how long the present one is, and where the finished ones are, as offsets from
# the request's first byte, because the owner moves these bytes into its query buffer.
# The next call goes on where the last one stopped and looks at no byte twice, so the cost
# is linear in the bytes however they were cut.
# Rejected: hiredis (it makes an object per argument); one request at a time (no prefetch);
# parsing a cut request again from its start (quadratic for one of a million arguments).
# Source: https://redis.io/docs/latest/develop/reference/protocol-spec/

from libc.stdint cimport int32_t, int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.native cimport hash_bytes

cdef enum:
    BATCH = 64                      # requests decoded ahead
    INLINE_MAX = 64 * 1024          # longest inline request, or line that gives a length
    BIG_ARG = 32 * 1024             # from this size on room for an argument is made at once
    UNAUTHENTICATED_ARGS = 10       # limits before AUTH
    UNAUTHENTICATED_BULK = 16384

cdef enum ParseStatus:
    PARSE_MORE                      # all was used, or what is left is not a whole request
    PARSE_FULL                      # the batch is full, more may be there
    PARSE_ERROR                     # after the requests of this batch: reply parser.error, close

cdef struct Arg:
    const char* ptr
    size_t size
    uint64_t hash                   # keyed hash of the bytes, once asked for; 0: not yet

cdef struct Request:
    size_t first                    # its first Arg in batch.args.items
    int argc
    size_t begin                    # where it starts in the buffer
    size_t end                      # and where the next one does

cdef struct ArgList:
    Arg* items
    size_t count
    size_t room

cdef struct Batch:
    Account* account
    ArgList args                    # of all its requests
    int count                       # requests
    Request requests[BATCH]
    char* scratch                   # unquoted arguments of an inline request
    bint unquoted                   # the scratch buffer is in use
    size_t scratch_room

cdef struct Parser:
    Account* account
    int64_t args_left               # of the request under way; 0: none is
    int64_t bulk_size               # of the argument under way; -1: its length is still to come
    size_t pos                      # from the request's start: how far it was looked at
    ArgList partial                 # finished arguments; ptr is an offset from the request's start
    int64_t max_bulk                # proto-max-bulk-len
    bint authenticated              # False: small requests only
    char error[128]                 # text of the protocol error, without the code

cdef void parser_init(Parser* p, Account* account) noexcept
cdef void parser_free(Parser* p) noexcept
cdef void parser_reset(Parser* p) noexcept
cdef void batch_init(Batch* b, Account* account) noexcept
cdef void batch_free(Batch* b) noexcept
cdef int parse_batch(Parser* p, Batch* b, const char* base, size_t size, size_t* pos, int limit) except -1
cdef object split_inline(const char* line, size_t size)
cdef Arg* args_copy(Account* account, const Arg* argv, int argc, size_t* size) noexcept
# Write a request as an array of bulk strings to where there are request_room() bytes; returns where it ends.
cdef size_t request_room(const Arg* argv, int argc) noexcept
cdef char* put_request(char* to, const Arg* argv, int argc) noexcept


cdef inline uint64_t arg_hash(Arg* a) noexcept:
    if a.hash == 0:
        a.hash = hash_bytes(a.ptr, a.size)
    return a.hash


cdef inline Arg arg_of(bytes text) noexcept:
    """An Arg that borrows the bytes of a Python object; the caller keeps that alive."""
    cdef Arg a
    a.ptr = text
    a.size = len(text)
    a.hash = 0
    return a


cdef inline bytes arg_bytes(Arg* a):
    return a.ptr[:a.size]
