"""Metrics for Prometheus, and the state of the server for whoever looks after it, by HTTP (`metrics-port`).

    names       which field of INFO is which metric
    families    the metrics of an engine
    endpoint    the sockets, requests and answers
"""
