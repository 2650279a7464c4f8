"""django-redis: the cache of Django, its patterns, counters and locks."""
import sys
import time

import django
from django.conf import settings

settings.configure(CACHES={"default": {
    "BACKEND": "django_redis.cache.RedisCache",
    "LOCATION": f"redis://127.0.0.1:{sys.argv[1]}/1",
    "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"},
}}, USE_TZ=True)
django.setup()

from django.core.cache import cache  # noqa: E402  the settings come first

cache.clear()
assert cache.get("x") is None and cache.get_or_set("x", {"a": [1, 2]}) == {"a": [1, 2]} == cache.get("x")
assert cache.add("x", 1) is False and cache.add("y", 1) is True
assert cache.incr("y") == 2 and cache.incr("y", 10) == 12 and cache.decr("y", 2) == 10
try:
    cache.incr("nosuch")
    raise AssertionError("a counter out of nothing")
except ValueError:
    pass
cache.set("short", 1, timeout=0.3)
assert cache.ttl("y") <= 300 and 0 < cache.pttl("short") <= 300
time.sleep(0.4)
assert cache.get("short") is None
cache.set_many({f"many:{n}": n for n in range(200)})
assert cache.get_many([f"many:{n}" for n in range(3)]) == {"many:0": 0, "many:1": 1, "many:2": 2}
assert len(cache.keys("many:*")) == 200 and len(list(cache.iter_keys("many:*"))) == 200
assert cache.delete_pattern("many:*") == 200 and not cache.keys("many:*")
assert cache.touch("y", 100) and 90 < cache.ttl("y") <= 100 and cache.persist("y") and cache.ttl("y") is None
with cache.lock("lock", timeout=5):
    assert not cache.lock("lock", timeout=5, blocking=False).acquire()
other = cache.lock("lock", timeout=5, blocking=False)
assert other.acquire()
other.release()
cache.set("versioned", 1, version=1)
assert cache.incr_version("versioned") == 2 and cache.get("versioned", version=2) == 1
cache.close()
