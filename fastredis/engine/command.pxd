# Command: what is declared about a command, and the table that finds one by name.
#
# A command is declared once, beside its handler:
#
#     declare(b"incrby", native(cmd_incrby), arity=3, flags=WRITE | DENYOOM | FAST, keys=...,
#             args="key increment:integer")
#
# Declarations are constants of the program, shared by all engines. What belongs to one
# engine (statistics, names changed by rename-command) is kept by Engine and CommandTable.
#
# CommandTable: open addressing, keyed by a name's length and eight of its bytes in lower
# case; nearly every lookup is one compare of 8 bytes.

from libc.stdint cimport uint64_t

from fastredis.engine.client cimport Client
from fastredis.engine.keys cimport KeySpecs

cdef extern from *:
    """
    #include <string.h>
    #include <stdint.h>
    #define FR_LOWER8 0x2020202020202020ULL

    /* Eight bytes that, with the length, tell names of up to eight bytes apart whatever their case. */
    static inline uint64_t fr_name_word(const char *name, size_t size) {
        uint32_t low, high;
        uint64_t word;
        if (size >= 8) {
            memcpy(&word, name, 8);
            return word | FR_LOWER8;
        }
        if (size >= 4) {
            memcpy(&low, name, 4);
            memcpy(&high, name + size - 4, 4);
            return ((uint64_t)high << 32 | low) | FR_LOWER8;
        }
        if (size == 0) return 0;
        return ((uint64_t)(unsigned char)name[0] | (uint64_t)(unsigned char)name[size / 2] << 8
                | (uint64_t)(unsigned char)name[size - 1] << 16) | FR_LOWER8;
    }
    """
    uint64_t name_word "fr_name_word"(const char* name, size_t size) noexcept nogil

ctypedef int (*Handler)(Client c) except -1


cdef class Command:
    cdef Handler handler                # NULL: in Python, or a container
    cdef readonly object function       # the handler of a command in plain Python
    cdef readonly bytes name            # lower case; of a subcommand b"client|kill"
    cdef readonly int arity             # arguments with the name; negative: at least
    cdef readonly uint64_t flags        # see flags.pxd
    cdef readonly int index             # in Engine.stats
    cdef readonly KeySpecs keys         # finds all keys of a call
    cdef readonly int first_key         # position of the keys in one range, as COMMAND INFO has it; 0: none
    cdef readonly int last_key
    cdef readonly int key_step
    cdef readonly int first_member      # position of the members or fields that may be prefetched; 0: none
    cdef readonly int member_step
    cdef readonly object declaration    # declarations.Declaration
    cdef readonly dict subcommands      # name after the bar -> Command; None: not a container
    cdef readonly Command container


cdef struct NameSlot:
    uint64_t word                       # eight bytes of the name, see name_word()
    size_t size
    void* command                       # Command; the table's dict keeps it alive


cdef class CommandTable:
    cdef NameSlot* slots
    cdef size_t mask
    cdef readonly dict by_name          # name -> Command, under the names of this engine

    cdef Command find(self, const char* name, size_t size)
    cdef bint is_named(self, Command command, const char* name, size_t size)


cdef inline size_t home(uint64_t word, size_t size) noexcept:
    """Where in the table of names the search begins."""
    return <size_t>((word + size) * <uint64_t>0x9E3779B97F4A7C15 >> 40)


cdef inline void* find_command(CommandTable table, const char* name, size_t size) except? NULL:
    """The Command of that name in any case, borrowed: the table keeps it. NULL: there is none."""
    cdef uint64_t word = name_word(name, size)
    cdef size_t i = home(word, size) & table.mask
    cdef NameSlot* slot = &table.slots[i]

    while slot.command is not NULL:
        if slot.word == word and slot.size == size:
            if size <= 8 or table.is_named(<Command>slot.command, name, size):
                return slot.command
        i = (i + 1) & table.mask
        slot = &table.slots[i]
    return NULL


cdef Command find_subcommand(Command container, const char* name, size_t size)
cdef object native(Handler handler)
