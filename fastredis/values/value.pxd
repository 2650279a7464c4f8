# What the core does with a value of any type: free, copy, measure, name. Each type's
# own module does it; a table of functions by type is all there is here.

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.values.entry cimport Entry
from fastredis.values.timed cimport DueVisit, Timed

cdef void entry_free(Account* account, Entry* e) noexcept
cdef int64_t entry_drain(Account* account, Entry* e, int64_t elements) noexcept
cdef Entry* entry_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef Entry* entry_rename(Account* account, Entry* e, const char* key, size_t key_size) noexcept
cdef uint64_t entry_count(const Entry* e) noexcept
cdef int64_t entry_effort(const Entry* e) noexcept
cdef size_t entry_memory(const Entry* e, int64_t samples) noexcept
cdef int entry_verify(Entry* e) except -1
# Of parts with deadlines (values/timed): NULL: no part ever had one; NO_DEADLINE: none has one.
cdef Timed* entry_timed(const Entry* e) noexcept
cdef int64_t entry_soonest(const Entry* e) noexcept
cdef uint64_t entry_remove_due(Account* account, Entry* e, int64_t now_ms, uint64_t limit, DueVisit visit,
                               void* context) except? 0xFFFFFFFFFFFFFFFF
cdef const char* type_name(const Entry* e) noexcept
cdef const char* encoding_name(const Entry* e) noexcept
