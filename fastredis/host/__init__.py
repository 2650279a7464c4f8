"""What concerns the process and its machine: limits, signals, logs, crash reports."""
