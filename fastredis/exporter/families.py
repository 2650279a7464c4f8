"""The metrics of an engine, for prometheus_client to write down, one family after the other.

What INFO has is taken from there, by the names of redis_exporter (names); what that reads by other commands (SLOWLOG,
LATENCY, CONFIG GET) has its names, too, and its labels. Histograms of latency have the same limits for all commands and
at all times, so that quantiles can be computed of them.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.utils import floatToGoString

from fastredis.commands.information import SECTIONS
from fastredis.engine.inspect import command_statistics, latency_histograms, latency_percentiles
from fastredis.exporter.names import COUNTERS, GAUGES, PREFIX, UNTYPED
from fastredis.text import to_text

__all__ = ["CONTENT_TYPE_LATEST", "all_families", "written"]

SEPARATE = {"commandstats", "errorstats", "latencystats", "hotkeys", "debug", "modules"}   # sections without metrics
STATES = {"ok": 1.0, "err": 0.0}
# Limits of the histograms, in microseconds: those that LATENCY HISTOGRAM shows, up to a second.
LIMITS = [((1 << power) + (1 << (power - 7)) - 1) // 1000 for power in range(10, 31)]
# A dashboard of the exporter's own asks for a metric by its name of old.
OLD_NAMES = {"mem_fragmentation_ratio": "redis_memory_fragmentation_ratio"}
SHOWN_SETTINGS = ("io-threads", "maxclients", "maxmemory", "repl-backlog-size")
INSTANCE = ("role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy", "tcp_port", "run_id",
            "process_id", "master_replid")

Values = Iterable[tuple[tuple[str, ...], float]]        # labels' values, and a metric's value


class One:
    """A collector of one family."""

    def __init__(self, family: Metric):
        self._family = family

    def collect(self) -> list[Metric]:
        return [self._family]


def written(family: Metric) -> bytes:
    """A family in Prometheus's text format."""
    return generate_latest(One(family))


def all_families(engine) -> Iterator[Metric]:
    """All metrics. They are looked up one by one: whoever takes them may do something else in between."""
    sections = {name: dict(fields(engine) or ()) for name, _, fields in SECTIONS if name not in SEPARATE}
    yield gauge("up", "This server answers", [((), 1)])
    yield from of_info(sections)
    yield from of_instance(sections)
    yield from of_replication(sections["replication"])
    yield from of_databases(sections["keyspace"])
    yield from of_commands(engine)
    yield from of_latency(engine)
    yield from of_logs(engine)
    yield from of_settings(engine.config)


def gauge(name: str, text: str, values: Values, labels: tuple[str, ...] = ()) -> Metric:
    return filled(GaugeMetricFamily(PREFIX + name, text, labels=labels), values)


def counter(name: str, text: str, values: Values, labels: tuple[str, ...] = ()) -> Metric:
    return filled(CounterMetricFamily(PREFIX + name, text, labels=labels), values)


def filled(family: Metric, values: Values) -> Metric:
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def number(value: object) -> float | None:
    """A field's value; None: it is no number."""
    try:
        return STATES[value] if value in STATES else float(value)
    except ValueError:
        return None


def of_info(sections: dict[str, dict[str, object]]) -> Iterator[Metric]:
    """The fields that are numbers, each a metric."""
    kinds: list[tuple[dict[str, str], Callable[[str, str], Metric]]] = [
        (GAUGES, GaugeMetricFamily),
        (COUNTERS, CounterMetricFamily),
        (UNTYPED, lambda name, text: Metric(name, text, "untyped")),
    ]
    for fields in sections.values():
        for field, value in fields.items():
            for names, kind in kinds:
                shown = number(value) if field in names else None
                if shown is None:
                    continue
                text = f"{field} of INFO"
                family = kind(names[field], text)
                family.add_sample(names[field], {}, shown)
                yield family
                if field in OLD_NAMES:
                    old = GaugeMetricFamily(OLD_NAMES[field], text)
                    old.add_sample(OLD_NAMES[field], {}, shown)
                    yield old


def of_instance(sections: dict[str, dict[str, object]]) -> Iterator[Metric]:
    """What the server is, in labels, and what the exporter computes of single fields."""
    fields = {field: value for section in sections.values() for field, value in section.items()}
    yield gauge("instance_info", "What this server is", [(tuple(str(fields[name]) for name in INSTANCE), 1)], INSTANCE)
    yield gauge("start_time_seconds", "Unix time at which this server was started",
                [((), int(time.time()) - int(fields["uptime_in_seconds"]))])
    yield gauge("latest_fork_seconds", "How long the latest fork stopped this server",
                [((), fields["latest_fork_usec"] / 1e6)])


def of_replication(fields: dict[str, object]) -> Iterator[Metric]:
    """The link to the master, or the replicas."""
    if "master_host" in fields:
        labels = ("master_host", "master_port")
        master = tuple(str(fields[label]) for label in labels)
        for name, text, value in (
            ("master_link_up", "Whether the link to the master is up", fields["master_link_status"] == "up"),
            ("master_last_io_seconds_ago", "Seconds since the master sent anything",
             fields["master_last_io_seconds_ago"]),
            ("master_sync_in_progress", "Whether the data set is being received", fields["master_sync_in_progress"]),
            ("slave_repl_offset", "Up to where the master's stream is applied", fields["slave_repl_offset"]),
        ):
            yield gauge(name, text, [(master, value)], labels)
        yield gauge("slave_info", "The master of this replica", [((*master, str(fields["slave_read_only"])), 1)],
                    (*labels, "read_only"))
    replicas = [dict(part.split("=", 1) for part in str(value).split(",")) for name, value in fields.items()
                if name.removeprefix("slave").isdigit()]
    labels = ("slave_ip", "slave_port", "slave_state")
    for name, text, part in (
        ("connected_slave_offset_bytes", "Up to where a replica has acknowledged the stream", "offset"),
        ("connected_slave_lag_seconds", "Seconds since a replica acknowledged anything", "lag"),
    ):
        yield gauge(name, text, [((each["ip"], each["port"], each["state"]), float(each[part])) for each in replicas],
                    labels)


def of_databases(fields: dict[str, object]) -> Iterator[Metric]:
    found = {name: dict(part.split("=") for part in str(value).split(",")) for name, value in fields.items()}
    for name, text, part, unit in (
        ("db_keys", "Keys of a database", "keys", 1),
        ("db_keys_expiring", "Keys of a database that have a deadline", "expires", 1),
        ("db_avg_ttl_seconds", "How long such keys have still to live, on average", "avg_ttl", 1000),
    ):
        yield gauge(name, text, [((db,), int(parts[part]) / unit) for db, parts in found.items()], ("db",))


def of_commands(engine) -> Iterator[Metric]:
    """Calls, and their errors."""
    found = [(to_text(name), *counts) for name, *counts in command_statistics(engine)]
    for name, text, column, unit in (
        ("commands_total", "Calls of a command", 1, 1),
        ("commands_duration_seconds_total", "Time spent in a command", 2, 1e6),
        ("commands_rejected_calls_total", "Calls of a command that were refused before it ran", 3, 1),
        ("commands_failed_calls_total", "Calls of a command that replied an error", 4, 1),
    ):
        yield counter(name, text, [((row[0],), row[column] / unit) for row in found], ("cmd",))
    yield counter("errors_total", "Error replies by their code",
                  [((to_text(code),), count) for code, count in engine.errors.items()], ("err",))


def of_latency(engine) -> Iterator[Metric]:
    """How long commands take, and what held the server up."""
    took = {name: usec for name, _, usec, _, _ in command_statistics(engine)}
    calls: dict[bytes, int] = {}
    histogram = HistogramMetricFamily(PREFIX + "commands_latencies_usec", "How long a command takes, in microseconds",
                                      labels=("cmd",))
    for name, count, limits in latency_histograms(engine):
        calls[name] = count
        histogram.add_metric((to_text(name),), list(buckets(count, limits)), took.get(name, 0))
    yield histogram
    if engine.config["latency-tracking"]:
        yield percentiles(engine, calls, took)
    events = engine.metrics.latency.events
    yield gauge("latency_spike_last", "Unix time of an event's latest spike",
                [((name,), event.samples[-1].time_s) for name, event in events.items()], ("event_name",))
    yield gauge("latency_spike_duration_seconds", "How long an event's latest spike held this server up",
                [((name,), event.samples[-1].latency_ms / 1000) for name, event in events.items()], ("event_name",))


def buckets(count: int, limits: dict[int, int]) -> Iterator[tuple[str, int]]:
    """Limits and how many calls kept them, the same limits for all; what is missing is as the one before."""
    kept = 0
    for limit in LIMITS:
        kept = limits.get(limit, kept)
        yield floatToGoString(limit), kept
    yield "+Inf", count


def percentiles(engine, calls: dict[bytes, int], took: dict[bytes, int]) -> Metric:
    """Latencystats as a summary, its quantiles called as the percentiles are."""
    wanted = engine.config["latency-tracking-info-percentiles"]
    name = PREFIX + "latency_percentiles_usec"
    family = Metric(name, "Percentiles of how long a command takes, in microseconds", "summary")
    for command, figures in latency_percentiles(engine, wanted):
        labels = {"cmd": to_text(command)}
        for percentile, usec in zip(wanted, figures, strict=True):
            family.add_sample(name, {**labels, "quantile": f"{percentile:.15g}"}, usec)
        family.add_sample(name + "_sum", labels, took.get(command, 0))
        family.add_sample(name + "_count", labels, calls.get(command, 0))
    return family


def of_logs(engine) -> Iterator[Metric]:
    """The slow log and its like: lengths and limits."""
    logs, config = engine.command_log, engine.config
    newest = logs.slow.newest(1)
    last_id, took_us = (newest[0][0], newest[0][2]) if newest else (0, 0)
    for name, text, value in (
        ("slowlog_length", "Entries of the slow log", len(logs.slow)),
        ("slowlog_last_id", "Number of the newest entry of the slow log", last_id),
        ("last_slow_execution_duration_seconds", "How long the newest command in the slow log took", took_us / 1e6),
        ("commandlog_slow_length", "Entries of the slow log", len(logs.slow)),
        ("commandlog_large_request_length", "Entries of the log of large requests", len(logs.requests)),
        ("commandlog_large_reply_length", "Entries of the log of large replies", len(logs.replies)),
        *((setting.replace("-", "_"), f"The setting {setting}", config[setting]) for setting in (
            "commandlog-execution-slower-than", "commandlog-slow-execution-max-len", "commandlog-request-larger-than",
            "commandlog-large-request-max-len", "commandlog-reply-larger-than", "commandlog-large-reply-max-len")),
    ):
        yield gauge(name, text, [((), value)])


def of_settings(config) -> Iterator[Metric]:
    for name in SHOWN_SETTINGS:
        yield gauge("config_" + name.replace("-", "_"), f"The setting {name}", [((), config[name])])
    limits = config["client-output-buffer-limit"]
    yield gauge("config_client_output_buffer_limit_bytes", "The setting client-output-buffer-limit",
                [((kind, which), size) for kind, limit in limits.items()
                 for which, size in (("hard", limit.hard_bytes), ("soft", limit.soft_bytes))], ("class", "limit"))
    yield gauge("config_client_output_buffer_limit_overcome_seconds",
                "How long a client may be above its soft limit",
                [((kind, "soft"), limit.soft_seconds) for kind, limit in limits.items()], ("class", "limit"))
