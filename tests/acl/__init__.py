"""Random rules and random commands: what a user may do beside a real server, and whether it is so.

    python -m tests.acl [--pairs 100000] [--seed 1] [--peer PATH]

Each of many users gets drawn rules, the same on both servers, and each of many commands is asked about with ACL DRYRUN
on both: the answers must be alike. The user then runs it here, unless it is one that should not be run: it must be
refused, or not, as was said.
"""
