# Observers: functions of the program that are called when something happens to a key.
#
# What happens is noted where keyspace notifications begin (Engine.key_event), whatever notify-keyspace-events says, and
# told at the end of the turn, as messages to clients are: for the engine this is a client that is written to.

from fastredis.engine.engine cimport Engine, Session


cdef class Observers(Session):
    cdef Engine engine
    cdef object deliver                 # function of a list of (event, key, database)
    cdef list heard
