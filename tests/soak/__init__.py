"""Soak test: the same random commands on fastredis and on a real redis-server, side by side, for as long as one likes.

    python -m tests.soak --seconds 600 --seed 7

draw.py makes the commands from the facts about them, alike.py says which replies count as the same and why, run.py
sends them and compares replies, keyspace events and, every so often, the whole data sets.
"""
