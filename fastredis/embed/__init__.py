"""A server inside a Python program: on an event loop of its own, or on the program's.

    errors     what may go wrong
    settings   keyword arguments as lines of redis.conf
    server     AsyncServer and Server

Nothing here touches what belongs to the whole process: signals, limits, its working directory, its executor.
"""
