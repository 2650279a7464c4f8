# What a library of functions sees while FUNCTION LOAD runs its text: `redis` alone, and of that register_function, log
# and the versions. What its functions see when they are called are the globals of all scripts (sandbox.pxd).
# Source: https://redis.io/docs/latest/develop/interact/programmability/functions-intro/

from fastredis.scripting.vm cimport Vm

# A table of these globals -> reference.
cdef int library_globals(Vm* vm) except -1
