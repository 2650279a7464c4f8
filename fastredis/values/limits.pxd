# Limits: at which sizes values change their encoding, as redis.conf names them.

from libc.stdint cimport int64_t

cdef struct Limits:
    int64_t list_max_listpack_size      # > 0: elements of a node; -1 to -5: 4, 8, 16, 32, 64 KiB
    int64_t list_compress_depth         # nodes at either end that are not compressed; 0: none is
    int64_t list_packed_threshold       # bytes from which on an element is a node; 0: what is too large for one
    int64_t hash_max_listpack_entries
    int64_t hash_max_listpack_value     # bytes
    int64_t set_max_intset_entries
    int64_t set_max_listpack_entries
    int64_t set_max_listpack_value      # bytes
    int64_t zset_max_listpack_entries
    int64_t zset_max_listpack_value     # bytes
    int64_t hll_sparse_max_bytes
    int64_t stream_node_max_bytes       # 0: no limit but a listpack's own
    int64_t stream_node_max_entries     # deleted ones too; 0: no limit
