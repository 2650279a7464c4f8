"""One script per claim, each measuring fastredis beside a real redis-server in the same run.

`python -m benchmarks` runs them all in their short forms; docs/benchmarks.md says what each measures and how to
read it.
"""
