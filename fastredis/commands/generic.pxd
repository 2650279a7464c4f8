# What other modules of commands share with generic.pyx.

from fastredis._client cimport Client
from fastredis._resp cimport Arg
from fastredis.values.entry cimport Entry

cdef Entry* glance(Client c, Arg* key) except? NULL
