"""Numbers of core.pxd that Python hands to the engine."""

globals().update(
    FIXED_BY_CHILD=FIXED_BY_CHILD,
    GATE_LOADING=GATE_LOADING,
    GATE_REPLICATION=GATE_REPLICATION,
)
