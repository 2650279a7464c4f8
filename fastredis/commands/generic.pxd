# What other modules of commands share with generic.pyx.

from fastredis._resp cimport Arg
from fastredis.engine.client cimport Client
from fastredis.values.entry cimport Entry

cdef Entry* glance(Client c, Arg* key) except? NULL
