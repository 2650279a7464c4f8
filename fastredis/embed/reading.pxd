# Replies as Python values, for clients in this process: what Reply.object() writes, read back.
#
#   +OK  $5 hello  =txt      bytes (str, if they are to be decoded)      _  $-1  *-1      None
#   :7  (12345...            int                                         ,1.5             float
#   #t                       bool                                        -ERR text        a ReplyError, as a value
#   *                        list                                        >                Push, a list
#   %                        dict; a list of pairs, if keys are lists    ~                set; a list, if members are
#   |                        left out: what it says about the value behind it is for people
#
# The protocol was written by this engine, so it is whole and well formed, and nothing is checked here.
# Rejected: hiredis, which has to find the end of what it may not have whole, and knows no values of ours.

from fastredis.engine.reply cimport Reply

cdef enum:
    READ_TEXT = 1                       # text as str, in UTF-8; bytes that are none raise
    READ_SETS_AS_LISTS = 2              # sets as lists, as redis-py reads them

# The value at at[0], which is moved behind it. how: READ_*.
cdef object read_value(const char** at, int how)
