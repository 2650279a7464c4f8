"""Snapshots: the whole data set as it is at one moment, in the RDB format.

write_data_set() writes it at once: in a forked child, or in the foreground while all clients wait.
"""
from libc.string cimport memset

from cpython.exc cimport PyErr_CheckSignals

from fastredis._engine cimport Engine
from fastredis.ds.alloc cimport Account
from fastredis.persist.rdb_save cimport (
    RdbInfo, RdbWriter, rdb_save_all, rdb_writer_clear, rdb_writer_configure, rdb_writer_init,
)


cdef int note_progress(void* context, RdbWriter* w) except -1:
    """RdbProgress: the context is a function of the number of keys, or None."""
    PyErr_CheckSignals()
    if <object>context is not None:
        (<object>context)(w.keys)
    return 0


def write_data_set(Engine engine not None, int fd, report=None, bint aof_base=False):
    """Write all databases to a file descriptor, from the header to the checksum; returns how many keys.

    report(keys) is called now and then with how many were written. aof_base: the file begins an AOF. Python's signal
    handlers run meanwhile. Buffers are of an account of its own, since used_memory is to tell of the data.
    Errors: OSError of write(2).
    """
    cdef Account account
    cdef RdbWriter w
    cdef RdbInfo info

    memset(&account, 0, sizeof(Account))
    memset(&info, 0, sizeof(RdbInfo))
    info.aof_base = aof_base
    info.repl_stream_db = -1
    rdb_writer_init(&w, &account, fd)
    try:
        rdb_writer_configure(&w, engine)
        rdb_save_all(&w, engine, &info, [], note_progress, <void*>report)
        return w.keys
    finally:
        rdb_writer_clear(&w)
