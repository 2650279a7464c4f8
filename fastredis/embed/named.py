"""Servers by name: started in this process when somebody asks for them, for programs that are told a URL.

    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": fastredis.url("cache")}}
"""

import os
import threading

from fastredis.embed.errors import FastredisError
from fastredis.embed.server import Server
from fastredis.embed.settings import Setting

_servers: dict[str, Server] = {}
_starting = threading.Lock()
os.register_at_fork(before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_starting.release)


def named(name: str = "default", **settings: Setting) -> Server:
    """The server of that name, which is started now if it does not run. It is stopped when the program ends.

    settings: as of a Server; they are for the first call, and later ones may not have any.
    Errors: SettingError; ServerError; FastredisError, if it runs already and settings are given, or in a child of the
    process where it runs.
    """
    with _starting:
        server = _servers.get(name)
        if server is None or not (server.is_running or server.is_elsewhere):
            server = _servers[name] = Server(**settings).start()
        elif settings:
            raise FastredisError(f"the server {name!r} runs already: settings are for the call that starts it")
        return server


def url(name: str = "default", **settings: Setting) -> str:
    """The URL of the server of that name, as every client takes it: of its unix socket. It is started if need be.

    In a child process it is the parent's server, whose socket can be reached from there.
    """
    return named(name, **settings).unix_url
