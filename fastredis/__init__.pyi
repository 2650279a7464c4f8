from fastredis.embed.errors import ClosedError as ClosedError
from fastredis.embed.errors import FastredisError as FastredisError
from fastredis.embed.errors import ReplyError as ReplyError
from fastredis.embed.errors import ServerError as ServerError
from fastredis.embed.errors import SettingError as SettingError
from fastredis.embed.errors import WouldBlockError as WouldBlockError
from fastredis.embed.local import LocalClient as LocalClient
from fastredis.embed.named import url as url
from fastredis.embed.server import AsyncServer as AsyncServer
from fastredis.embed.server import Server as Server
from fastredis.redis_py import aconnect as aconnect
from fastredis.redis_py import connect as connect

__version__: str
REDIS_VERSION: str
ALLOCATOR: str

def build_id() -> str: ...
def run(argv: list[str] | None = None) -> int: ...
