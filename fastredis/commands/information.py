"""INFO: facts and counters of the server, in sections.

A section is a function that returns its fields in Redis's order: [(name, value), ...]. A field of something that this
server does not have (functions, replicas, an append-only file, threads) is the constant that it would have in a Redis
that does not use it.
Source: https://redis.io/docs/latest/commands/info/
"""

import os
import resource
import select
import sys

import fastredis
from fastredis.commands.migrate import kept_connections
from fastredis.ds.alloc import slab_figures
from fastredis.engine.acl.access import (
    DENIED_CERTIFICATE,
    DENIED_CHANNEL,
    DENIED_COMMAND,
    DENIED_DATABASE,
    DENIED_KEY,
    DENIED_LOGIN,
)
from fastredis.engine.command import declarer
from fastredis.engine.flags import LOADING, STALE
from fastredis.engine.inspect import (
    COMPILER_VERSION,
    client_statistics,
    command_statistics,
    is_loading,
    keyspace,
    latency_percentiles,
    statistics,
    table_memory,
)
from fastredis.engine.metrics import resident_memory
from fastredis.engine.reply import Verbatim
from fastredis.text import to_text

declare = declarer("server")

Fields = list[tuple[str, object]]

NO_DEFRAGMENTATION: Fields = [
    ("active_defrag_hits", 0),
    ("active_defrag_misses", 0),
    ("active_defrag_key_hits", 0),
    ("active_defrag_key_misses", 0),
    ("total_active_defrag_time", 0),
    ("current_active_defrag_time", 0),
]


def cmd_info(c):
    """INFO [section ...] -> verbatim string: `# Section`, its fields as `name:value`, a blank line, the next one.

    Without a section, or with `default`, those of Redis's default; `all` adds statistics of every command. A name
    that is no section adds nothing.
    """
    wanted = {to_text(name).lower() for name in c.args[1:]} or {"default"}
    if wanted & {"all", "everything"}:
        wanted |= ALL
    if "default" in wanted:
        wanted |= DEFAULT
    sections = []
    for name, title, fields in SECTIONS:
        if name in wanted or (name == "modules" and "module_list" in wanted):
            found = fields(c.engine)
            if found is not None:
                lines = [f"# {title}", *(f"{field}:{value}" for field, value in found)]
                sections.append("".join(line + "\r\n" for line in lines))
    c.reply(Verbatim("\r\n".join(sections)))


declare(
    b"info", cmd_info, arity=-1, flags=LOADING | STALE, acl=("dangerous",), since="1.0.0",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
    complexity="O(1)",
    summary="Returns facts and statistics of the server, by sections.",
    args="[section...]",
    history=(("7.0.0", "Takes several sections."),),
)


def human(size: int) -> str:
    """Bytes as people read them: 999B, 1.95K, 23.54G."""
    if size < 1024:
        return f"{size}B"
    amount = float(size)
    for unit in "KMGTP":
        amount /= 1024
        if amount < 1024:
            return f"{amount:.2f}{unit}"
    return f"{size}B"


def safe(name: str) -> str:
    """A name from outside as part of a field: what has a meaning in INFO becomes `_`."""
    return name.translate(str.maketrans("#:\r\n", "____"))


def server(engine) -> Fields:
    config = engine.config
    stats = statistics(engine)
    system = os.uname()
    rate = stats["ticks_per_us"]
    uptime = stats["uptime_us"] // 1_000_000
    supervised = config["supervised"]
    return [
        ("redis_version", fastredis.REDIS_VERSION),
        ("server_name", "fastredis"),
        ("fastredis_version", fastredis.__version__),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", fastredis.build_id()),
        ("redis_mode", "standalone"),
        ("os", f"{system.sysname} {system.release} {system.machine}"),
        ("arch_bits", sys.maxsize.bit_length() + 1),
        ("monotonic_clock", f"X86 TSC @ {rate:.0f} ticks/us" if rate else "POSIX clock_gettime"),
        ("multiplexing_api", "epoll" if hasattr(select, "epoll") else "kqueue"),
        ("atomicvar_api", "none"),
        ("gcc_version", COMPILER_VERSION),
        ("process_id", os.getpid()),
        ("process_supervised", supervised if supervised in ("systemd", "upstart") else "no"),
        ("run_id", engine.run_id),
        ("tcp_port", config["port"] or config["tls-port"]),
        ("server_time_usec", stats["now_us"]),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86400),
        ("hz", config["hz"]),
        ("configured_hz", config["hz"]),
        ("lru_clock", stats["lru_clock"]),
        ("executable", os.path.abspath(sys.argv[0])),
        ("config_file", config.file or ""),
        ("io_threads_active", 0),
        ("availability_zone", config["availability-zone"]),
        *listeners(engine),
        *([("shutdown_in_milliseconds", engine.service.left_ms)] if engine.service.awaits_replicas else ()),
    ]


def listeners(engine) -> Fields:
    """One field for each kind of socket that the server listens on."""
    return [(f"listener{number}", kind) for number, kind in enumerate(engine.host.listening())]


def scripts(engine) -> Fields:
    """What the Luas of EVAL and of functions take, and the scripts and libraries themselves."""
    libraries = engine.scripts.functions.libraries
    evals, functions = engine.scripts.lua_bytes, libraries.lua_bytes
    texts, codes = engine.scripts.text_bytes, libraries.text_bytes
    return [
        ("used_memory_lua", evals),
        ("used_memory_vm_eval", evals),
        ("used_memory_lua_human", human(evals)),
        ("used_memory_scripts_eval", texts),
        ("number_of_cached_scripts", engine.scripts.count),
        ("number_of_functions", libraries.function_count),
        ("number_of_libraries", len(libraries.by_name)),
        ("used_memory_vm_functions", functions),
        ("used_memory_vm_total", evals + functions),
        ("used_memory_vm_total_human", human(evals + functions)),
        ("used_memory_functions", codes),
        ("used_memory_scripts", texts + codes),
        ("used_memory_scripts_human", human(texts + codes)),
    ]


def clients(engine) -> Fields:
    found = client_statistics(engine)
    return [
        ("connected_clients", len(engine.clients) - len(engine.replication.replicas)),
        ("cluster_connections", 0),
        ("maxclients", engine.config["maxclients"]),
        ("client_recent_max_input_buffer", found["input"]),
        ("client_recent_max_output_buffer", found["output"]),
        ("blocked_clients", engine.blocked.count),
        ("tracking_clients", engine.tracking.clients),
        ("pubsub_clients", engine.pubsub.clients),
        ("watching_clients", found["watching"]),
        ("clients_in_timeout_table", engine.blocked.with_deadline),
        ("total_watched_keys", found["watched_keys"]),
        ("total_blocking_keys", engine.blocked.keys),
        ("total_blocking_keys_on_nokey", engine.blocked.keys_on_loss),
    ]


def memory(engine) -> Fields:
    counted = statistics(engine)
    resident = resident_memory()
    tables, rehashing = table_memory(engine)
    clients = client_statistics(engine)
    client_memory, replica_memory = clients["memory"], clients["replica_memory"]
    stream_memory = engine.replication.stream.memory
    backlog_memory = stream_memory - clients["lagging"]
    overhead = engine.metrics.startup_memory + tables + client_memory + replica_memory + backlog_memory
    system = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    config = engine.config
    return [
        *memory_used(engine, counted, resident, overhead),
        ("total_system_memory", system),
        ("total_system_memory_human", human(system)),
        *scripts(engine),
        ("maxmemory", config["maxmemory"]),
        ("maxmemory_human", human(config["maxmemory"])),
        ("maxmemory_policy", config["maxmemory-policy"]),
        *fragmentation(engine, counted["used_memory"], resident),
        ("mem_not_counted_for_evict", counted["not_evictable"]),
        ("mem_replication_backlog", backlog_memory),
        ("mem_total_replication_buffers", stream_memory),
        ("mem_clients_slaves", replica_memory),
        ("mem_clients_normal", client_memory),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", engine.aof.feed.buffer_room),
        ("mem_allocator", fastredis.ALLOCATOR),
        ("mem_overhead_db_hashtable_rehashing", rehashing),
        ("active_defrag_running", 0),
        ("lazyfree_pending_objects", counted["lazy_pending"]),
        ("lazyfreed_objects", counted["lazy_freed"]),
    ]


def allocators(engine, used: int, resident: int) -> tuple[int, int, int]:
    """What the allocators of the process gave out, what they took for that, and what of it is in RAM; in bytes.

    The interpreter belongs to it: small as the data of an idle server are, beside them alone a few slabs that have just
    been opened would look like an alarm. Of the slabs it is known how much of them is not used. What else the process
    has in RAM counts as resident only: MEMORY PURGE may give it back.
    """
    allocated = used + engine.metrics.interpreter
    active = allocated + slab_figures()["unused"]
    return allocated, active, max(active, resident)


def memory_used(engine, counted, resident: int, overhead: int) -> Fields:
    used, peak, startup = counted["used_memory"], counted["used_memory_peak"], engine.metrics.startup_memory
    dataset = used - overhead
    allocated, active, held = allocators(engine, used, resident)
    return [
        ("used_memory", used),
        ("used_memory_human", human(used)),
        ("used_memory_rss", resident),
        ("used_memory_rss_human", human(resident)),
        ("used_memory_peak", peak),
        ("used_memory_peak_human", human(peak)),
        ("used_memory_peak_perc", f"{used * 100 / peak:.2f}%"),
        ("used_memory_overhead", overhead),
        ("used_memory_startup", startup),
        ("used_memory_dataset", dataset),
        ("used_memory_dataset_perc", f"{dataset * 100 / max(1, used - startup):.2f}%"),
        ("allocator_allocated", allocated),
        ("allocator_active", active),
        ("allocator_resident", held),
        ("allocator_muzzy", 0),
    ]


def fragmentation(engine, used: int, resident: int) -> Fields:
    """How much more than they gave out the allocators hold, and the process in turn."""
    allocated, active, held = allocators(engine, used, resident)
    return [
        ("allocator_frag_ratio", f"{active / allocated:.2f}"),
        ("allocator_frag_bytes", active - allocated),
        ("allocator_rss_ratio", f"{held / active:.2f}"),
        ("allocator_rss_bytes", held - active),
        ("rss_overhead_ratio", f"{resident / held:.2f}"),
        ("rss_overhead_bytes", resident - held),
        ("mem_fragmentation_ratio", f"{resident / allocated:.2f}"),
        ("mem_fragmentation_bytes", resident - allocated),
        ("mem_interpreter", engine.metrics.interpreter),
    ]


def persistence(engine) -> Fields:
    return [
        ("loading", int(is_loading(engine))),
        ("async_loading", int(engine.replication.loads_aside)),
        *child(engine.child),
        *snapshot(engine),
        *engine.aof.fields(),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
        *engine.aof.size_fields(),
        *(loading(engine.loading) if engine.loading.active else ()),
    ]


def child(at_work) -> Fields:
    """The process that works on a copy of the data, if there is one."""
    return [
        ("current_cow_peak", at_work.cow_peak if at_work else 0),
        ("current_cow_size", at_work.cow_size if at_work else 0),
        ("current_cow_size_age", at_work.cow_age_s if at_work else 0),
        ("current_fork_perc", f"{at_work.fraction * 100 if at_work else 0:.2f}"),
        ("current_save_keys_processed", at_work.keys_done if at_work else 0),
        ("current_save_keys_total", at_work.keys_total if at_work else 0),
    ]


def snapshot(engine) -> Fields:
    saver = engine.saver
    return [
        ("rdb_changes_since_last_save", saver.changes),
        ("rdb_bgsave_in_progress", int(saver.running or engine.replication.full_sync.transfer is not None)),
        ("rdb_last_save_time", saver.last_save_s),
        ("rdb_last_bgsave_status", "ok" if saver.last_ok else "err"),
        ("rdb_last_bgsave_time_sec", saver.last_seconds),
        ("rdb_current_bgsave_time_sec", saver.running_seconds),
        ("rdb_saves", saver.saves),
        ("rdb_last_cow_size", engine.metrics.cow_sizes["rdb"]),
        ("rdb_last_load_keys_expired", engine.loading.keys_expired),
        ("rdb_last_load_keys_loaded", engine.loading.keys_loaded),
    ]


def loading(state) -> Fields:
    return [
        ("loading_start_time", state.started_s),
        ("loading_total_bytes", state.total_bytes),
        ("loading_rdb_used_mem", state.used_memory),
        ("loading_loaded_bytes", state.loaded_bytes),
        ("loading_loaded_perc", f"{state.percent:.2f}"),
        ("loading_eta_seconds", state.eta_seconds),
    ]


def stats(engine) -> Fields:
    counted = statistics(engine)
    return [*traffic(engine, counted), *keys(engine, counted), *replies(engine, counted), *turns(engine, counted)]


def traffic(engine, counted) -> Fields:
    rates = engine.metrics.rates
    return [
        ("total_connections_received", counted["connections"]),
        ("total_commands_processed", counted["commands"]),
        ("instantaneous_ops_per_sec", int(rates["commands"])),
        ("total_net_input_bytes", counted["bytes_in"]),
        ("total_net_output_bytes", counted["bytes_out"]),
        ("total_net_repl_input_bytes", engine.replication.stream.bytes_in),
        ("total_net_repl_output_bytes", engine.replication.stream.bytes_out),
        ("instantaneous_input_kbps", f"{rates['input'] / 1024:.2f}"),
        ("instantaneous_output_kbps", f"{rates['output'] / 1024:.2f}"),
        ("instantaneous_input_repl_kbps", f"{rates['replica_input'] / 1024:.2f}"),
        ("instantaneous_output_repl_kbps", f"{rates['replica_output'] / 1024:.2f}"),
        ("rejected_connections", counted["rejected_connections"]),
        ("sync_full", engine.replication.syncs_full),
        ("sync_partial_ok", engine.replication.syncs_partial),
        ("sync_partial_err", engine.replication.syncs_refused),
    ]


def keys(engine, counted) -> Fields:
    """Keys are removed when their time comes, so none is ever stale: expired_stale_perc is 0."""
    pubsub = engine.pubsub
    return [
        ("expired_subkeys", counted["expired_parts"]),
        ("expired_keys", counted["expired"]),
        ("expired_stale_perc", "0.00"),
        ("expired_time_cap_reached_count", counted["expire_slices_full"]),
        ("expire_cycle_cpu_milliseconds", counted["expire_cycle_us"] // 1000),
        ("evicted_keys", counted["evicted"]),
        ("evicted_clients", counted["evicted_clients"]),
        ("evicted_scripts", engine.scripts.evicted),
        ("total_eviction_exceeded_time", (engine.evictor.exceeded_us + engine.evictor.running_us) // 1000),
        ("current_eviction_exceeded_time", engine.evictor.running_us // 1000),
        ("keyspace_hits", counted["hits"]),
        ("keyspace_misses", counted["misses"]),
        ("pubsub_channels", len(pubsub.channels)),
        ("pubsub_patterns", len(pubsub.patterns)),
        ("pubsubshard_channels", len(pubsub.shard_channels)),
        ("latest_fork_usec", engine.metrics.latest_fork_us),
        ("total_forks", engine.metrics.total_forks),
        ("migrate_cached_sockets", kept_connections(engine)),
        ("slave_expires_tracked_keys", engine.own_deadline_count),
        *NO_DEFRAGMENTATION,
        ("tracking_total_keys", engine.tracking.key_count),
        ("tracking_total_items", engine.tracking.items),
        ("tracking_total_prefixes", len(engine.tracking.prefixes)),
    ]


def replies(engine, counted) -> Fields:
    """Errors, reads and writes, and the buffers that replies are written to."""
    return [
        ("unexpected_error_replies", counted["unexpected_errors"]),
        ("total_error_replies", counted["errors"]),
        ("dump_payload_sanitizations", 0),
        ("total_reads_processed", counted["reads"]),
        ("total_writes_processed", counted["writes"]),
        ("io_threaded_reads_processed", 0),
        ("io_threaded_writes_processed", 0),
        ("client_query_buffer_limit_disconnections", counted["query_limit_closed"]),
        ("client_output_buffer_limit_disconnections", counted["output_limit_closed"]),
        ("reply_buffer_shrinks", counted["reply_shrinks"]),
        ("reply_buffer_expands", counted["reply_expands"]),
    ]


def turns(engine, counted) -> Fields:
    """A cycle of the event loop is, here, a turn of the engine: what one read or timer brought, from start to end."""
    rates, denied = engine.metrics.rates, engine.users.log.counts
    return [
        ("eventloop_cycles", counted["turns"]),
        ("eventloop_duration_sum", counted["turn_us"]),
        ("eventloop_duration_cmd_sum", counted["command_us"]),
        ("instantaneous_eventloop_cycles_per_sec", int(rates["turns"])),
        ("instantaneous_eventloop_duration_usec", int(rates["turn_us"])),
        ("acl_access_denied_auth", denied[DENIED_LOGIN]),
        ("acl_access_denied_cmd", denied[DENIED_COMMAND]),
        ("acl_access_denied_key", denied[DENIED_KEY]),
        ("acl_access_denied_channel", denied[DENIED_CHANNEL]),
        ("acl_access_denied_tls_cert", denied[DENIED_CERTIFICATE]),
        ("acl_access_denied_db", denied[DENIED_DATABASE]),
    ]


def replication(engine) -> Fields:
    return engine.replication.fields()


def cpu(engine) -> Fields:
    whole, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    fields: Fields = [
        ("used_cpu_sys", f"{whole.ru_stime:.6f}"),
        ("used_cpu_user", f"{whole.ru_utime:.6f}"),
        ("used_cpu_sys_children", f"{children.ru_stime:.6f}"),
        ("used_cpu_user_children", f"{children.ru_utime:.6f}"),
    ]
    if hasattr(resource, "RUSAGE_THREAD"):
        main = resource.getrusage(resource.RUSAGE_THREAD)
        fields.append(("used_cpu_sys_main_thread", f"{main.ru_stime:.6f}"))
        fields.append(("used_cpu_user_main_thread", f"{main.ru_utime:.6f}"))
    return fields


def modules(engine) -> Fields:
    return []


def commandstats(engine) -> Fields:
    return [
        (
            f"cmdstat_{safe(name.decode())}",
            f"calls={calls},usec={usec},usec_per_call={usec / calls if calls else 0:.2f},"
            f"rejected_calls={rejected},failed_calls={failed}",
        )
        for name, calls, usec, rejected, failed in command_statistics(engine)
    ]


def errorstats(engine) -> Fields:
    return [(f"errorstat_{safe(to_text(code))}", f"count={count}") for code, count in sorted(engine.errors.items())]


def latencystats(engine) -> Fields:
    config = engine.config
    if not config["latency-tracking"]:
        return []
    percentiles = config["latency-tracking-info-percentiles"]
    return [
        (
            f"latency_percentiles_usec_{safe(name.decode())}",
            ",".join(f"p{percentile:.15g}={usec:.3f}" for percentile, usec in zip(percentiles, figures, strict=True)),
        )
        for name, figures in latency_percentiles(engine, percentiles)
    ]


def hotkeys(engine) -> Fields | None:
    """The session of HOTKEYS; None, which is not even a title, when there is none."""
    session = engine.metrics.hot_keys
    session.look()
    if not session.started:
        return None
    return [
        ("hotkeys-tracking-active", int(session.active)),
        ("hotkeys-used-memory", session.memory),
        ("hotkeys-cpu-time", session.own_ms),
    ]


def cluster(engine) -> Fields:
    return [("cluster_enabled", 0)]


def keyspace_section(engine) -> Fields:
    return [
        (f"db{index}", f"keys={count},expires={volatile},avg_ttl={ttl_ms},subexpiry={hashes}")
        for index, count, volatile, ttl_ms, hashes in keyspace(engine)
    ]


def tls(engine) -> Fields:
    """Only when asked for by name, or for all."""
    return engine.host.tls_fields()


def debug(engine) -> Fields:
    """Only when asked for by name."""
    counted = statistics(engine)
    return [
        ("eventloop_duration_aof_sum", 0),
        ("eventloop_duration_cron_sum", int(engine.metrics.cron_us)),
        ("eventloop_duration_max", counted["turn_longest_us"]),
        ("eventloop_cmd_per_cycle_max", counted["turn_commands_most"]),
    ]


SECTIONS = (
    ("server", "Server", server),
    ("tls", "TLS", tls),
    ("clients", "Clients", clients),
    ("memory", "Memory", memory),
    ("persistence", "Persistence", persistence),
    ("stats", "Stats", stats),
    ("replication", "Replication", replication),
    ("cpu", "CPU", cpu),
    ("modules", "Modules", modules),
    ("commandstats", "Commandstats", commandstats),
    ("errorstats", "Errorstats", errorstats),
    ("latencystats", "Latencystats", latencystats),
    ("cluster", "Cluster", cluster),
    ("hotkeys", "Hotkeys", hotkeys),
    ("keyspace", "Keyspace", keyspace_section),
    ("debug", "Debug", debug),
)
ALL = {name for name, _, _ in SECTIONS} - {"debug"}
DEFAULT = ALL - {"commandstats", "latencystats", "tls"}
