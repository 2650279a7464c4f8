"""MEMORY: what keys cost, and where the rest of the memory is."""

from fastredis.commands import information
from fastredis.commands.help_text import help_lines
from fastredis.ds.alloc import slab_figures
from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at
from fastredis.engine.errors import NOT_INTEGER, SYNTAX
from fastredis.engine.flags import CONTAINER, LOADING, READONLY, STALE
from fastredis.engine.inspect import database_memory, key_memory
from fastredis.engine.reply import ErrorReply, Status, Verbatim
from fastredis.host import process
from fastredis.text import parse_int, to_text

declare = declarer("server")

SAMPLES = 5  # elements of a collection that MEMORY USAGE measures unless told otherwise

HELP = """
DOCTOR
    Return memory problems reports.
MALLOC-STATS
    Return internal statistics report from the memory allocator.
PURGE
    Attempt to purge dirty pages for reclamation by the allocator.
STATS
    Return information about the memory usage of the server.
USAGE <key> [SAMPLES <count>]
    Return memory in bytes used by <key> and its value. Nested values are
    sampled up to <count> times (default: 5, 0 means sample all).
"""

declare(
    b"memory", None, arity=-2, flags=CONTAINER, since="4.0.0",
    complexity="Depends on the subcommand",
    summary="Looks at how memory is used.",
)


def cmd_memory_usage(c):
    """MEMORY USAGE key [SAMPLES count] -> integer: bytes of the entry, its value and its share of the tables; or null.

    SAMPLES is how many elements of a collection are measured, 0 for each; the others are taken to be like them.
    Errors: syntax; a count that is no integer, or negative.
    Source: https://redis.io/docs/latest/commands/memory-usage/
    """
    options = c.args[3:]
    samples = SAMPLES
    while options:
        if options[0].lower() != b"samples" or len(options) == 1:
            raise ErrorReply(SYNTAX)
        samples = parse_int(to_text(options[1]))
        if samples is None or samples < 0:
            raise ErrorReply(NOT_INTEGER if samples is None else SYNTAX)
        del options[:2]
    c.reply(key_memory(c, c.args[2], samples))


declare(
    b"memory|usage", cmd_memory_usage, arity=-3, flags=READONLY, keys=key_at(2, "RO"), since="4.0.0",
    complexity="O(N) where N is the number of elements sampled",
    summary="Estimates the bytes that a key and its value take.",
    args="key [SAMPLES count:integer]",
)


# --- all of the memory ------------------------------------------------------------------


def figures(engine) -> dict:
    """The fields of MEMORY STATS: bytes, counts and ratios, from the same accounts as INFO memory."""
    found = dict(information.memory(engine))
    databases = database_memory(engine)
    used, startup = found["used_memory"], found["used_memory_startup"]
    dataset, keys = found["used_memory_dataset"], engine.count_keys()
    return {
        "peak.allocated": found["used_memory_peak"],
        "total.allocated": used,
        "startup.allocated": startup,
        "replication.backlog": found["mem_replication_backlog"],
        "clients.slaves": found["mem_clients_slaves"],
        "clients.normal": found["mem_clients_normal"],
        "cluster.links": found["mem_cluster_links"],
        "aof.buffer": found["mem_aof_buffer"],
        "lua.caches": found["used_memory_scripts_eval"],
        "functions.caches": found["used_memory_functions"],
        **{f"db.{index}": {"overhead.hashtable.main": table, "overhead.hashtable.expires": heaps}
           for index, count, table, heaps, _ in databases if count},
        "overhead.db.hashtable.lut": sum(table + heaps for _, _, table, heaps, _ in databases),
        "overhead.db.hashtable.rehashing": found["mem_overhead_db_hashtable_rehashing"],
        "db.dict.rehashing.count": sum(rehashing > 0 for *_, rehashing in databases),
        "overhead.total": found["used_memory_overhead"],
        "keys.count": keys,
        "keys.bytes-per-key": dataset // keys if keys else 0,
        "dataset.bytes": dataset,
        "dataset.percentage": dataset * 100 / max(1, used - startup),
        "peak.percentage": used * 100 / found["used_memory_peak"],
        **allocator_figures(found),
    }


def allocator_figures(found: dict) -> dict:
    """How much more than they gave out the allocators hold, and the process in turn."""
    allocated, active = found["allocator_allocated"], found["allocator_active"]
    held, resident = found["allocator_resident"], found["used_memory_rss"]
    return {
        "allocator.allocated": allocated,
        "allocator.active": active,
        "allocator.resident": held,
        "allocator.muzzy": found["allocator_muzzy"],
        "allocator-fragmentation.ratio": active / allocated,
        "allocator-fragmentation.bytes": active - allocated,
        "allocator-rss.ratio": held / active,
        "allocator-rss.bytes": held - active,
        "rss-overhead.ratio": resident / held,
        "rss-overhead.bytes": resident - held,
        "fragmentation": resident / allocated,
        "fragmentation.bytes": resident - allocated,
    }


def cmd_memory_stats(c):
    """MEMORY STATS -> map of figures; those of a database that is not empty are a map of their own.

    Source: https://redis.io/docs/latest/commands/memory-stats/
    """
    c.reply(figures(c.engine))


declare(
    b"memory|stats", cmd_memory_stats, arity=2, flags=0, since="4.0.0",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
    complexity="O(N) where N is the number of clients",
    summary="Tells where the memory of the server is.",
)


MIB = 1024 * 1024
LITTLE = 5 * MIB  # a server that uses less has nothing to complain of
WASTE = 10 * MIB  # what is lost has to be that much to be worth a word
CLIENT_BUFFERS = 200 * 1024  # bytes that a client's buffers may take on average

NOTHING_YET = "This server holds too little data for a diagnosis. Ask again when it has more than {least} MiB in use.\n"
ALL_WELL = "All is well: nothing unusual was found in how memory is used.\n"
FINDINGS = "There is something to say about the memory of this server:\n\n"


def complaints(found: dict, clients: int) -> list[str]:
    """What is wrong with the figures of MEMORY STATS, where `clients` are connected; a paragraph each."""
    wrong = []
    if found["peak.allocated"] > found["total.allocated"] * 1.5:
        wrong.append("Peak: more than 1.5 times as much memory was in use at some time as is now. The process may "
                     "still hold it, so that its RSS and the fragmentation look high; it is used again first. MEMORY "
                     "PURGE gives back what can be given back.")
    # Not by the ratios, in which the interpreter hides what a small server wastes.
    wasteful = max(WASTE, found["total.allocated"] * 0.4)
    if found["allocator-fragmentation.bytes"] > wasteful:
        wrong.append("Fragmentation: free blocks lie between others that are in use, and take more than 0.4 times as "
                     "much memory as these, since small values were written and deleted in great numbers. New ones "
                     "of the same sizes will use them; a restart gives them back.")
    if found["allocator-rss.bytes"] > wasteful:
        wrong.append("Unused memory: the process holds more than 1.4 times the memory that is in use. Either this is "
                     "what an earlier peak left (compare peak.allocated with total.allocated), or large values of "
                     "changing sizes were written and deleted. MEMORY PURGE may give some of it back; MEMORY "
                     "MALLOC-STATS shows the free blocks.")
    if clients and found["clients.normal"] > clients * CLIENT_BUFFERS:
        wrong.append("Clients: their buffers take more than 200 KiB each on average. Some send large requests, or do "
                     "not read their replies: see qbuf and omem in CLIENT LIST, and client-output-buffer-limit.")
    if found["clients.slaves"] > WASTE:
        wrong.append("Replicas: what is still to be sent to them takes more than 10 MiB. A replica, or the network, is "
                     "too slow for the writes; see client-output-buffer-limit.")
    return wrong


def cmd_memory_doctor(c):
    """MEMORY DOCTOR -> verbatim string: what looks wrong about the use of memory, and what can be done.

    Source: https://redis.io/docs/latest/commands/memory-doctor/
    """
    found = figures(c.engine)
    wrong = complaints(found, len(c.engine.clients))
    if found["total.allocated"] < LITTLE:
        text = NOTHING_YET.format(least=LITTLE // MIB)
    else:
        text = FINDINGS + "".join(f" * {paragraph}\n\n" for paragraph in wrong) if wrong else ALL_WELL
    c.reply(Verbatim(text))


declare(
    b"memory|doctor", cmd_memory_doctor, arity=2, flags=0, since="4.0.0",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
    complexity="O(N) where N is the number of clients",
    summary="Says what looks wrong about the use of memory.",
)


def cmd_memory_purge(c):
    """MEMORY PURGE -> OK: give the system back what the allocator holds but does not use.

    What the slabs of small blocks do not use any more, they have given back already.
    Source: https://redis.io/docs/latest/commands/memory-purge/
    """
    process.trim_heap()
    c.reply(Status("OK"))


declare(
    b"memory|purge", cmd_memory_purge, arity=2, flags=0, since="4.0.0",
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
    complexity="O(N) where N is the number of free blocks of the allocator",
    summary="Gives unused memory back to the system.",
)


def cmd_memory_malloc_stats(c):
    """MEMORY MALLOC-STATS -> verbatim string: what the engine's account, the two allocators below it and CPython's say.

    Source: https://redis.io/docs/latest/commands/memory-malloc-stats/
    """
    found = figures(c.engine)
    lines = [f"Taken by the engine: {found['total.allocated']} bytes, at most {found['peak.allocated']}.", ""]
    heap = process.heap_figures()
    if heap is not None:
        lines += [
            "Blocks of more than 512 bytes (the C library):",
            f"  heap {heap.arena} bytes: {heap.uordblks} in use, {heap.fordblks} free in {heap.ordblks} blocks,"
            f" {heap.keepcost} of these at its end",
            f"  mapped {heap.hblkhd} bytes in {heap.hblks} blocks",
            "",
        ]
    slabs = slab_figures()
    lines += [
        "Smaller blocks (slabs):",
        f"  {slabs['arenas']} arenas, {slabs['slabs']} slabs: {slabs['free']} free, {slabs['kept']} of these keep their"
        " pages",
        "",
        "Objects of the interpreter (CPython):",
        process.small_objects_report(),
    ]
    c.reply(Verbatim("\n".join(lines)))


declare(
    b"memory|malloc-stats", cmd_memory_malloc_stats, arity=2, flags=0, since="4.0.0",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
    complexity="O(N) where N is the memory in use",
    summary="Shows the statistics of the memory allocators.",
)


def cmd_memory_help(c):
    """MEMORY HELP -> array of simple strings."""
    c.reply(help_lines("MEMORY", HELP))


declare(
    b"memory|help", cmd_memory_help, arity=2, flags=LOADING | STALE, since="4.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of MEMORY.",
)
