"""A server inside a Python program: on an event loop of its own, or on the program's.

    errors       what may go wrong
    settings     keyword arguments as lines of redis.conf
    reading      replies as Python values
    local        LocalClient, whose commands are function calls; Gate: who may call
    clock        the engine's time, for tests
    shared_loop  the event loop of a Server, which lets other threads in
    server       AsyncServer and Server
    named        servers by name

Nothing here touches what belongs to the whole process: signals, limits, its working directory, its executor.
"""
