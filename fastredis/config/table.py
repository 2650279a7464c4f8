"""Every parameter of Redis 7.0, Redis 8 and Valkey 8, with Redis 7.4's defaults where they differ.

`metrics-*` are our own.

One row each, sorted by name:

    Kind("name", default, [low, high,] [values,] [flags,] alias=an old name of it, check=what else must hold,
         inert=why it has no effect | absent=why only its default is accepted)

A new parameter is a new row. What must happen when one changes is registered by whoever does it, with
`Config.on_change`. No setting pretends: each has a reader, or its row says why not. What only tunes something that
this server does in another way, or not at all, is `inert`: read, kept, and logged if it is not the default. What a
user would rely on is `absent`: refused. Facts: redis.io/docs/latest/operate/oss_and_stack/management/config,
valkey.io/topics/valkey.conf, and the servers' own CONFIG GET.
"""

import locale
import re
import socket

from fastredis.config.types import (
    DENY_LOADING,
    HIDDEN,
    IMMUTABLE,
    PROTECTED,
    SENSITIVE,
    VOLATILE,
    Addresses,
    Bool,
    BufferLimit,
    BufferLimits,
    ByteString,
    Check,
    ConfigError,
    Directory,
    Enum,
    EnumSet,
    Int,
    KeyspaceEvents,
    MasterAddress,
    Memory,
    MemoryOrPercent,
    Octal,
    OomValues,
    Parameter,
    Percentiles,
    SavePoint,
    SavePoints,
    Settings,
    String,
)
from fastredis.text import I64_MAX, U64_MAX

KB, MB, GB = 1024, 1024**2, 1024**3
INT_MIN, INT_MAX, UINT_MAX = -(2**31), 2**31 - 1, 2**32 - 1

NO_YES_LOCAL = ("no", "yes", "local")
SHUTDOWN_OPTIONS = ("default", "save", "nosave", "now", "force")
SYSLOG_FACILITIES = ("user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7")
EVICTION_POLICIES = (
    "volatile-lru",
    "volatile-lfu",
    "volatile-lrm",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-lrm",
    "allkeys-random",
    "noeviction",
)
OUTPUT_BUFFER_LIMITS = {
    "normal": BufferLimit(0, 0, 0),
    "slave": BufferLimit(256 * MB, 64 * MB, 60),
    "pubsub": BufferLimit(32 * MB, 8 * MB, 60),
}

# Why rows are inert ...
NO_CLUSTER = "this server has no cluster mode"
NO_DEFRAGMENTATION = "there is no active defragmentation"
ONE_THREAD = "commands and sockets are served by one thread"
# ... or absent: the same reasons, and

# Directives of old versions that files may still hold: read, and without effect.
DEPRECATED = ("list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands")


def no_defragmentation(value: bool, config: Settings) -> None:
    if value:
        raise ConfigError(
            "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified "
            "Jemalloc like the one shipped by default with the Redis source distribution"
        )


def save_or_not(value: tuple[str, ...], config: Settings) -> None:
    if "save" in value and "nosave" in value:
        raise ConfigError("shutdown options SAVE and NOSAVE can't be used simultaneously")


def known_locale(value: str, config: Settings) -> None:
    try:
        locale.setlocale(locale.LC_COLLATE, value)
    except (locale.Error, ValueError):
        raise ConfigError("Invalid locale name") from None
    finally:
        locale.setlocale(locale.LC_COLLATE, "C")


def base_name(name: str, what: str, may_be_empty: bool = False) -> Check:
    """A check for the parameter `name`: a file's or directory's name without a path."""

    def check(value: str, config: Settings) -> None:
        if not value and not may_be_empty:
            raise ConfigError(f"{name} can't be empty")
        if "/" in value or "\\" in value:
            raise ConfigError(f"{name} can't be a path, just a {what}")

    return check


def host_name(value: str | None, config: Settings) -> None:
    if value is None:
        return
    if len(value) >= 256:
        raise ConfigError("Hostnames must be less than 256 characters")
    if not re.fullmatch(r"[A-Za-z0-9.-]*", value):
        raise ConfigError("Hostnames may only contain alphanumeric characters, hyphens or dots")


def node_name(value: str | None, config: Settings) -> None:
    # The name is a field of nodes.conf, so what could separate fields there is not allowed.
    if value and not set(value).isdisjoint("!#$%&()*+;<>?@[]^{|}~"):
        raise ConfigError("Announced human node name contained invalid character")


def ip_address(family: int, family_name: str) -> Check:
    def check(value: str | None, config: Settings) -> None:
        try:
            if value is not None:
                socket.inet_pton(family, value)
        except OSError:
            raise ConfigError(f"Invalid {family_name} address") from None

    return check


def title_template(value: str, config: Settings) -> None:
    if not config.process_title(value, ""):
        raise ConfigError("template format is invalid or contains unknown variables")


PARAMETERS: tuple[Parameter, ...] = (
    Enum("acl-pubsub-default", "resetchannels", ("allchannels", "resetchannels")),
    String("aclfile", "", IMMUTABLE),
    Int("acllog-max-len", 128, 0, I64_MAX),
    Int("active-defrag-cycle-max", 25, 1, 99, inert=NO_DEFRAGMENTATION),
    Int("active-defrag-cycle-min", 1, 1, 99, inert=NO_DEFRAGMENTATION),
    Memory("active-defrag-ignore-bytes", 100 * MB, 1, I64_MAX, inert=NO_DEFRAGMENTATION),
    Int("active-defrag-max-scan-fields", 1000, 1, I64_MAX, inert=NO_DEFRAGMENTATION),
    Int("active-defrag-threshold-lower", 10, 0, 1000, inert=NO_DEFRAGMENTATION),
    Int("active-defrag-threshold-upper", 100, 0, 1000, inert=NO_DEFRAGMENTATION),
    Int("active-expire-effort", 1, 1, 10, inert="every key expires in its own millisecond"),
    Bool("activedefrag", False, check=no_defragmentation, inert=NO_DEFRAGMENTATION),
    Bool("activerehashing", True),
    Bool("always-show-logo", False, IMMUTABLE),
    Bool("aof-disable-auto-gc", False, HIDDEN),
    Bool("aof-load-truncated", True),
    String("aof-rewrite-cpulist", None, IMMUTABLE, alias="aof_rewrite_cpulist"),
    Bool("aof-rewrite-incremental-fsync", True),
    Bool("aof-timestamp-enabled", False),
    Bool("aof-use-rdb-preamble", True),
    String("appenddirname", "appendonlydir", IMMUTABLE, check=base_name("appenddirname", "dirname")),
    String("appendfilename", "appendonly.aof", IMMUTABLE, check=base_name("appendfilename", "filename")),
    Enum("appendfsync", "everysec", ("everysec", "always", "no")),
    Bool("appendonly", False, DENY_LOADING),
    Memory("auto-aof-rewrite-min-size", 64 * MB, 0, I64_MAX),
    Int("auto-aof-rewrite-percentage", 100, 0, INT_MAX),
    ByteString("availability-zone", ""),
    String("bgsave-cpulist", None, IMMUTABLE, alias="bgsave_cpulist"),
    Addresses("bind", ("*", "-::*")),
    String("bind-source-addr", None),
    String("bio-cpulist", None, IMMUTABLE, alias="bio_cpulist"),
    Int("busy-reply-threshold", 5000, 0, I64_MAX, alias="lua-time-limit"),
    Int("client-default-resp", 2, 2, 3, IMMUTABLE | HIDDEN, absent="connections begin with RESP2"),
    BufferLimits("client-output-buffer-limit", OUTPUT_BUFFER_LIMITS),
    Memory("client-query-buffer-limit", 1 * GB, 1 * MB, I64_MAX),
    Bool("cluster-allow-pubsubshard-when-down", True, inert=NO_CLUSTER),
    Bool("cluster-allow-reads-when-down", False, inert=NO_CLUSTER),
    Bool("cluster-allow-replica-migration", True, inert=NO_CLUSTER),
    Int("cluster-announce-bus-port", 0, 0, 65535, inert=NO_CLUSTER),
    String("cluster-announce-client-ipv4", None, check=ip_address(socket.AF_INET, "IPv4"), inert=NO_CLUSTER),
    String("cluster-announce-client-ipv6", None, check=ip_address(socket.AF_INET6, "IPv6"), inert=NO_CLUSTER),
    String("cluster-announce-hostname", None, check=host_name, inert=NO_CLUSTER),
    String("cluster-announce-human-nodename", None, check=node_name, inert=NO_CLUSTER),
    String("cluster-announce-ip", None, inert=NO_CLUSTER),
    Int("cluster-announce-port", 0, 0, 65535, inert=NO_CLUSTER),
    Int("cluster-announce-tls-port", 0, 0, 65535, inert=NO_CLUSTER),
    Int("cluster-blacklist-ttl", 60, 0, U64_MAX, inert=NO_CLUSTER),
    String("cluster-config-file", "nodes.conf", IMMUTABLE, inert=NO_CLUSTER),
    Bool("cluster-enabled", False, IMMUTABLE, absent=NO_CLUSTER),
    Memory("cluster-link-sendbuf-limit", 0, 0, U64_MAX, inert=NO_CLUSTER),
    Int("cluster-migration-barrier", 1, 0, INT_MAX, inert=NO_CLUSTER),
    Int("cluster-node-timeout", 15000, 0, I64_MAX, inert=NO_CLUSTER),
    Int("cluster-ping-interval", 0, 0, I64_MAX, HIDDEN, inert=NO_CLUSTER),
    Int("cluster-port", 0, 0, 65535, IMMUTABLE, inert=NO_CLUSTER),
    Enum("cluster-preferred-endpoint-type", "ip", ("ip", "hostname", "unknown-endpoint"), inert=NO_CLUSTER),
    Bool("cluster-replica-no-failover", False, alias="cluster-slave-no-failover", inert=NO_CLUSTER),
    Int("cluster-replica-validity-factor", 10, 0, INT_MAX, alias="cluster-slave-validity-factor", inert=NO_CLUSTER),
    Bool("cluster-require-full-coverage", True, inert=NO_CLUSTER),
    Bool("cluster-slot-stats-enabled", False, inert=NO_CLUSTER),
    Int("commandlog-large-reply-max-len", 128, 0, I64_MAX),
    Int("commandlog-large-request-max-len", 128, 0, I64_MAX),
    Int("commandlog-reply-larger-than", 1 * MB, -1, I64_MAX),
    Int("commandlog-request-larger-than", 1 * MB, -1, I64_MAX),
    Bool("crash-log-enabled", True),
    Bool("crash-memcheck-enabled", True, inert="a crash report comes without a test of the memory"),
    Bool("daemonize", False, IMMUTABLE),
    Int("databases", 16, 1, INT_MAX, IMMUTABLE),
    String("dbfilename", "dump.rdb", PROTECTED, check=base_name("dbfilename", "filename", may_be_empty=True)),
    String("debug-context", "", HIDDEN, inert="a crash report comes without it"),
    Directory("dir", None, PROTECTED | DENY_LOADING),
    Bool("disable-thp", True, IMMUTABLE),
    Bool("dual-channel-replication-enabled", False),
    Bool("dynamic-hz", True, inert="hz is what it is set to"),
    Bool("enable-debug-assert", False, IMMUTABLE | HIDDEN, inert="the checks of a debug build are compiled in, or not"),
    Enum("enable-debug-command", "no", NO_YES_LOCAL, IMMUTABLE),
    Enum("enable-module-command", "no", NO_YES_LOCAL, IMMUTABLE),
    Enum("enable-protected-configs", "no", NO_YES_LOCAL, IMMUTABLE),
    Int("events-per-io-thread", 2, 0, INT_MAX, inert=ONE_THREAD),
    Bool("extended-redis-compatibility", False, inert="this server always calls itself Redis to clients"),
    Int("hash-max-listpack-entries", 512, 0, I64_MAX, alias="hash-max-ziplist-entries"),
    Memory("hash-max-listpack-value", 64, 0, I64_MAX, alias="hash-max-ziplist-value"),
    Bool("hide-user-data-from-log", False),
    Memory("hll-sparse-max-bytes", 3000, 0, I64_MAX),
    Int("hz", 10, 0, INT_MAX),
    String("ignore-warnings", "", inert="the system is not looked at for what it warns of"),
    Bool("import-mode", False),
    Int("io-threads", 1, 1, 128, IMMUTABLE, inert=ONE_THREAD),
    Bool("io-threads-do-reads", False, IMMUTABLE, inert=ONE_THREAD),
    Bool("jemalloc-bg-thread", True, inert="memory comes from another allocator"),
    Int("key-load-delay", 0, INT_MIN, INT_MAX, HIDDEN),
    Int("latency-monitor-threshold", 0, 0, I64_MAX),
    Bool("latency-tracking", True),
    Percentiles("latency-tracking-info-percentiles", (50.0, 99.0, 99.9)),
    Bool("lazyfree-lazy-eviction", False),
    Bool("lazyfree-lazy-expire", False),
    Bool("lazyfree-lazy-server-del", False),
    Bool("lazyfree-lazy-user-del", False),
    Bool("lazyfree-lazy-user-flush", False),
    Int("lfu-decay-time", 1, 0, INT_MAX),
    Int("lfu-log-factor", 10, 0, INT_MAX),
    Int("list-compress-depth", 0, 0, INT_MAX),
    Int("list-max-listpack-size", -2, INT_MIN, INT_MAX, alias="list-max-ziplist-size"),
    Int("loading-process-events-interval-bytes", 2 * MB, 1 * KB, INT_MAX, HIDDEN,
        inert="clients are served by time while data is loaded"),
    String("locale-collate", "", check=known_locale, inert="SORT ALPHA compares bytes"),
    Enum("log-format", "legacy", ("legacy", "logfmt", "json")),
    Enum("log-timestamp-format", "legacy", ("legacy", "iso8601", "milliseconds")),
    String("logfile", "", IMMUTABLE),
    Enum("loglevel", "notice", ("debug", "verbose", "notice", "warning", "nothing")),
    ByteString("masterauth", None, SENSITIVE, alias="primaryauth"),
    String("masteruser", None, SENSITIVE, alias="primaryuser"),
    Int("max-new-connections-per-cycle", 10, 1, 1000),
    Int("max-new-tls-connections-per-cycle", 1, 1, 1000),
    Int("maxclients", 10000, 1, UINT_MAX),
    Memory("maxmemory", 0, 0, U64_MAX),
    MemoryOrPercent("maxmemory-clients", 0, -100, I64_MAX),
    Int("maxmemory-eviction-tenacity", 10, 0, 100),
    Enum("maxmemory-policy", "noeviction", EVICTION_POLICIES),
    Int("maxmemory-samples", 5, 1, 64),
    Addresses("metrics-bind", ("127.0.0.1", "-::1")),
    Int("metrics-max-link-down", 60, 0, INT_MAX),
    Int("metrics-port", 0, 0, 65535),
    Int("min-replicas-max-lag", 10, 0, INT_MAX, alias="min-slaves-max-lag"),
    Int("min-replicas-to-write", 0, 0, INT_MAX, alias="min-slaves-to-write"),
    Bool("no-appendfsync-on-rewrite", False),
    KeyspaceEvents("notify-keyspace-events", frozenset()),
    Enum("oom-score-adj", "no", ("no", "yes", "relative", "absolute"), same={"relative": "yes"}),
    OomValues("oom-score-adj-values", (0, 200, 800)),
    String("pidfile", None, IMMUTABLE),
    Int("port", 6379, 0, 65535),
    Int("prefetch-batch-max-size", 16, 0, 128, inert="each pipeline is looked up ahead"),
    String("proc-title-template", "{title} {listen-addr} {server-mode}", check=title_template),
    Enum("propagation-error-behavior", "ignore", ("ignore", "panic", "panic-on-replicas")),
    Bool("protected-mode", True),
    Memory("proto-max-bulk-len", 512 * MB, 1 * MB, I64_MAX),
    Bool("rdb-del-sync-files", False),
    Int("rdb-key-save-delay", 0, INT_MIN, INT_MAX, HIDDEN),
    Bool("rdb-save-incremental-fsync", True),
    Enum("rdb-version-check", "strict", ("strict", "relaxed")),
    Bool("rdbchecksum", True, IMMUTABLE),
    Bool("rdbcompression", True),
    Memory("repl-backlog-size", 1 * MB, 1, I64_MAX),
    Int("repl-backlog-ttl", 3600, 0, I64_MAX),
    Bool("repl-disable-tcp-nodelay", False),
    Enum("repl-diskless-load", "disabled", ("disabled", "on-empty-db", "swapdb"), DENY_LOADING,
         newer=("flush-before-load",)),
    Bool("repl-diskless-sync", True),
    Int("repl-diskless-sync-delay", 5, 0, INT_MAX),
    Int("repl-diskless-sync-max-replicas", 0, 0, INT_MAX),
    Int("repl-ping-replica-period", 10, 1, INT_MAX, alias="repl-ping-slave-period"),
    Int("repl-timeout", 60, 1, INT_MAX),
    String("replica-announce-ip", None, alias="slave-announce-ip"),
    Int("replica-announce-port", 0, 0, 65535, alias="slave-announce-port"),
    Bool("replica-announced", True),
    Bool("replica-ignore-disk-write-errors", False),
    Bool("replica-ignore-maxmemory", True, alias="slave-ignore-maxmemory"),
    Bool("replica-lazy-flush", False, alias="slave-lazy-flush"),
    Int("replica-priority", 100, 0, INT_MAX, alias="slave-priority"),
    Bool("replica-read-only", True, alias="slave-read-only"),
    Bool("replica-serve-stale-data", True, alias="slave-serve-stale-data"),
    MasterAddress("replicaof", None, IMMUTABLE, alias="slaveof"),
    String("req-res-logfile", None, IMMUTABLE | HIDDEN, absent="requests and replies are not logged"),
    ByteString("requirepass", None, SENSITIVE),
    Enum("sanitize-dump-payload", "no", ("no", "yes", "clients"), inert="what is loaded is always checked"),
    SavePoints("save", (SavePoint(3600, 1), SavePoint(300, 100), SavePoint(60, 10000))),
    String("server-cpulist", None, IMMUTABLE, alias="server_cpulist"),
    Int("set-max-intset-entries", 512, 0, I64_MAX),
    Int("set-max-listpack-entries", 128, 0, I64_MAX),
    Int("set-max-listpack-value", 64, 0, I64_MAX),
    Bool("set-proc-title", True, IMMUTABLE),
    EnumSet("shutdown-on-sigint", (), SHUTDOWN_OPTIONS, check=save_or_not),
    EnumSet("shutdown-on-sigterm", (), SHUTDOWN_OPTIONS, check=save_or_not),
    Int("shutdown-timeout", 10, 0, INT_MAX),
    Int("slowlog-log-slower-than", 10000, -1, I64_MAX, alias="commandlog-execution-slower-than"),
    Int("slowlog-max-len", 128, 0, I64_MAX, alias="commandlog-slow-execution-max-len"),
    Int("socket-mark-id", 0, 0, UINT_MAX, IMMUTABLE, absent="sockets are not marked"),
    Bool("stop-writes-on-bgsave-error", True),
    Int("stream-idmp-duration", 100, 1, 86400),
    Int("stream-idmp-maxsize", 100, 1, 10000),
    Memory("stream-node-max-bytes", 4 * KB, 0, I64_MAX),
    Int("stream-node-max-entries", 100, 0, I64_MAX),
    Enum("supervised", "no", ("upstart", "systemd", "auto", "no"), IMMUTABLE),
    Bool("syslog-enabled", False, IMMUTABLE),
    Enum("syslog-facility", "local0", SYSLOG_FACILITIES, IMMUTABLE),
    String("syslog-ident", "redis", IMMUTABLE),
    Int("tcp-backlog", 511, 0, INT_MAX, IMMUTABLE),
    Int("tcp-keepalive", 300, 0, INT_MAX),
    Int("timeout", 0, 0, INT_MAX),
    Enum("tls-auth-clients", "yes", ("no", "yes", "optional")),
    Enum("tls-auth-clients-user", "off", ("CN", "URI", "off")),
    Int("tls-auto-reload-interval", 0, 0, INT_MAX),
    String("tls-ca-cert-dir", None, VOLATILE),
    String("tls-ca-cert-file", None, VOLATILE),
    String("tls-cert-file", None, VOLATILE),
    String("tls-ciphers", None),
    String("tls-ciphersuites", None),
    String("tls-client-cert-file", None, VOLATILE),
    String("tls-client-key-file", None, VOLATILE),
    String("tls-client-key-file-pass", None, SENSITIVE),
    Bool("tls-cluster", False),
    String("tls-dh-params-file", None, VOLATILE),
    String("tls-key-file", None, VOLATILE),
    String("tls-key-file-pass", None, SENSITIVE),
    Int("tls-port", 0, 0, 65535),
    Bool("tls-prefer-server-ciphers", False),
    String("tls-protocols", None),
    Bool("tls-replication", False),
    Int("tls-session-cache-size", 20480, 0, INT_MAX),
    Int("tls-session-cache-timeout", 300, 0, INT_MAX),
    Bool("tls-session-caching", True),
    Int("tracking-table-max-keys", 1000000, 0, I64_MAX),
    String("unixsocket", None, IMMUTABLE),
    String("unixsocketgroup", None, IMMUTABLE),
    Octal("unixsocketperm", 0, 0, 0o777, IMMUTABLE),
    Bool("use-exit-on-panic", False, HIDDEN),
    Int("watchdog-period", 0, 0, INT_MAX, HIDDEN),
    Int("zset-max-listpack-entries", 128, 0, I64_MAX, alias="zset-max-ziplist-entries"),
    Memory("zset-max-listpack-value", 64, 0, I64_MAX, alias="zset-max-ziplist-value"),
)
