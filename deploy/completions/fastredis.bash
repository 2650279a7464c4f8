# bash completion for fastredis. Made by deploy/make.py.

_fastredis() {
    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
    case "$before" in
    --acl-pubsub-default) COMPREPLY=($(compgen -W "allchannels resetchannels" -- "$word")); return ;;
    --activerehashing) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --always-show-logo) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --aof-disable-auto-gc) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --aof-load-truncated) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --aof-rewrite-incremental-fsync) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --aof-timestamp-enabled) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --aof-use-rdb-preamble) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --appendfsync) COMPREPLY=($(compgen -W "everysec always no" -- "$word")); return ;;
    --appendonly) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --crash-log-enabled) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --daemonize) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --disable-thp) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --dual-channel-replication-enabled) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --enable-debug-command) COMPREPLY=($(compgen -W "no yes local" -- "$word")); return ;;
    --enable-module-command) COMPREPLY=($(compgen -W "no yes local" -- "$word")); return ;;
    --enable-protected-configs) COMPREPLY=($(compgen -W "no yes local" -- "$word")); return ;;
    --hide-user-data-from-log) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --import-mode) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --latency-tracking) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --lazyfree-lazy-eviction) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --lazyfree-lazy-expire) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --lazyfree-lazy-server-del) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --lazyfree-lazy-user-del) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --lazyfree-lazy-user-flush) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --log-format) COMPREPLY=($(compgen -W "legacy logfmt json" -- "$word")); return ;;
    --log-timestamp-format) COMPREPLY=($(compgen -W "legacy iso8601 milliseconds" -- "$word")); return ;;
    --loglevel) COMPREPLY=($(compgen -W "debug verbose notice warning nothing" -- "$word")); return ;;
    --maxmemory-policy) COMPREPLY=($(compgen -W "volatile-lru volatile-lfu volatile-lrm volatile-random volatile-ttl allkeys-lru allkeys-lfu allkeys-lrm allkeys-random noeviction" -- "$word")); return ;;
    --no-appendfsync-on-rewrite) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --oom-score-adj) COMPREPLY=($(compgen -W "no yes relative absolute" -- "$word")); return ;;
    --propagation-error-behavior) COMPREPLY=($(compgen -W "ignore panic panic-on-replicas" -- "$word")); return ;;
    --protected-mode) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --rdb-del-sync-files) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --rdb-save-incremental-fsync) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --rdb-version-check) COMPREPLY=($(compgen -W "strict relaxed" -- "$word")); return ;;
    --rdbchecksum) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --rdbcompression) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --repl-disable-tcp-nodelay) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --repl-diskless-load) COMPREPLY=($(compgen -W "disabled on-empty-db swapdb flush-before-load" -- "$word")); return ;;
    --repl-diskless-sync) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --replica-announced) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --replica-ignore-disk-write-errors) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --replica-ignore-maxmemory) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --replica-lazy-flush) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --replica-read-only) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --replica-serve-stale-data) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --set-proc-title) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --shutdown-on-sigint) COMPREPLY=($(compgen -W "default save nosave now force" -- "$word")); return ;;
    --shutdown-on-sigterm) COMPREPLY=($(compgen -W "default save nosave now force" -- "$word")); return ;;
    --stop-writes-on-bgsave-error) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --supervised) COMPREPLY=($(compgen -W "upstart systemd auto no" -- "$word")); return ;;
    --syslog-enabled) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --syslog-facility) COMPREPLY=($(compgen -W "user local0 local1 local2 local3 local4 local5 local6 local7" -- "$word")); return ;;
    --tls-auth-clients) COMPREPLY=($(compgen -W "no yes optional" -- "$word")); return ;;
    --tls-auth-clients-user) COMPREPLY=($(compgen -W "CN URI off" -- "$word")); return ;;
    --tls-cluster) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --tls-prefer-server-ciphers) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --tls-replication) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --tls-session-caching) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --use-exit-on-panic) COMPREPLY=($(compgen -W "yes no" -- "$word")); return ;;
    --dir) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --check-rdb | --check-aof | --aclfile | --logfile | --pidfile)
        COMPREPLY=($(compgen -f -- "$word")); return ;;
    esac
    if [[ "$word" == -* ]]; then
        COMPREPLY=($(compgen -W "--help --version --check-rdb --check-aof --acl-pubsub-default --aclfile --acllog-max-len --activerehashing --always-show-logo --aof-disable-auto-gc --aof-load-truncated --aof-rewrite-cpulist --aof-rewrite-incremental-fsync --aof-timestamp-enabled --aof-use-rdb-preamble --appenddirname --appendfilename --appendfsync --appendonly --auto-aof-rewrite-min-size --auto-aof-rewrite-percentage --availability-zone --bgsave-cpulist --bind --bind-source-addr --bio-cpulist --busy-reply-threshold --client-output-buffer-limit --client-query-buffer-limit --commandlog-large-reply-max-len --commandlog-large-request-max-len --commandlog-reply-larger-than --commandlog-request-larger-than --crash-log-enabled --daemonize --databases --dbfilename --dir --disable-thp --dual-channel-replication-enabled --enable-debug-command --enable-module-command --enable-protected-configs --hash-max-listpack-entries --hash-max-listpack-value --hide-user-data-from-log --hll-sparse-max-bytes --hz --import-mode --key-load-delay --latency-monitor-threshold --latency-tracking --latency-tracking-info-percentiles --lazyfree-lazy-eviction --lazyfree-lazy-expire --lazyfree-lazy-server-del --lazyfree-lazy-user-del --lazyfree-lazy-user-flush --lfu-decay-time --lfu-log-factor --list-compress-depth --list-max-listpack-size --log-format --log-timestamp-format --logfile --loglevel --masterauth --masteruser --max-new-connections-per-cycle --max-new-tls-connections-per-cycle --maxclients --maxmemory --maxmemory-clients --maxmemory-eviction-tenacity --maxmemory-policy --maxmemory-samples --metrics-bind --metrics-max-link-down --metrics-port --min-replicas-max-lag --min-replicas-to-write --no-appendfsync-on-rewrite --notify-keyspace-events --oom-score-adj --oom-score-adj-values --pidfile --port --proc-title-template --propagation-error-behavior --protected-mode --proto-max-bulk-len --rdb-del-sync-files --rdb-key-save-delay --rdb-save-incremental-fsync --rdb-version-check --rdbchecksum --rdbcompression --repl-backlog-size --repl-backlog-ttl --repl-disable-tcp-nodelay --repl-diskless-load --repl-diskless-sync --repl-diskless-sync-delay --repl-diskless-sync-max-replicas --repl-ping-replica-period --repl-timeout --replica-announce-ip --replica-announce-port --replica-announced --replica-ignore-disk-write-errors --replica-ignore-maxmemory --replica-lazy-flush --replica-priority --replica-read-only --replica-serve-stale-data --replicaof --requirepass --save --server-cpulist --set-max-intset-entries --set-max-listpack-entries --set-max-listpack-value --set-proc-title --shutdown-on-sigint --shutdown-on-sigterm --shutdown-timeout --slowlog-log-slower-than --slowlog-max-len --stop-writes-on-bgsave-error --stream-idmp-duration --stream-idmp-maxsize --stream-node-max-bytes --stream-node-max-entries --supervised --syslog-enabled --syslog-facility --syslog-ident --tcp-backlog --tcp-keepalive --timeout --tls-auth-clients --tls-auth-clients-user --tls-auto-reload-interval --tls-ca-cert-dir --tls-ca-cert-file --tls-cert-file --tls-ciphers --tls-ciphersuites --tls-client-cert-file --tls-client-key-file --tls-client-key-file-pass --tls-cluster --tls-dh-params-file --tls-key-file --tls-key-file-pass --tls-port --tls-prefer-server-ciphers --tls-protocols --tls-replication --tls-session-cache-size --tls-session-cache-timeout --tls-session-caching --tracking-table-max-keys --unixsocket --unixsocketgroup --unixsocketperm --use-exit-on-panic --watchdog-period --zset-max-listpack-entries --zset-max-listpack-value" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _fastredis fastredis
