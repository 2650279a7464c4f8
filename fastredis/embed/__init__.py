"""A server inside a Python program: on an event loop of its own, or on the program's.

    errors       what may go wrong
    settings     keyword arguments as lines of redis.conf
    reading      replies as Python values
    local        LocalClient, whose commands are function calls; Gate: who may call
    arguments    values of Python as arguments of commands
    pipeline     commands that are collected, and executed in one go
    db           a database as a mapping
    snapshots    states of the data, to go back to; data sets in files
    events       what happens to keys, told to the program
    extensions   functions and commands in Python
    faults       what tests have commands meet
    clock        the engine's time, for tests
    shared_loop  the event loop of a Server, which lets other threads in
    server       AsyncServer and Server
    named        servers by name

Nothing here touches what belongs to the whole process: signals, limits, its working directory, its executor.
"""
