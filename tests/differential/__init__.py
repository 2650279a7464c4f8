"""Differential test: the same drawn commands on fastredis and on a real server; whatever differs is a finding.

    python -m tests.differential --steps 1000000 --seed 1
    python -m tests.differential --peer PATH --steps 100000 --only ZADD,ZRANGE

grammar.py draws commands from the declarations' own argument grammar, alike.py says which replies count as the same
and lists every documented difference with its reason, run.py sends the steps, compares and shrinks, and session.py
puts the steps of a session together: pipelines, transactions, clients that wait, subscribers, inline requests.

A session of some thousand steps begins with empty servers and has its own seed, which repeats it. A finding is shrunk
to the smallest sequence of steps that shows it on empty servers and printed as rows.
"""
