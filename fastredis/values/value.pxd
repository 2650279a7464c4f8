# What the core does with a value of any type: free, copy, measure, name. One branch per
# type, each going to that type's own module.

from fastredis.ds.alloc cimport Account
from fastredis.values.entry cimport Entry

cdef void entry_free(Account* account, Entry* e) noexcept
cdef Entry* entry_copy(Account* account, const Entry* e, const char* key, size_t key_size) except NULL
cdef Entry* entry_rename(Account* account, Entry* e, const char* key, size_t key_size) except NULL
cdef size_t entry_memory(const Entry* e) noexcept
cdef const char* type_name(const Entry* e) noexcept
cdef const char* encoding_name(const Entry* e) noexcept
