"""Clients that mean harm, and what others notice of them.

    python -m tests.abuse                       all attacks in their full size, before and after authentication
    python -m tests.abuse half pings --clients 1000

A server with limits of memory and a password is attacked by a process of its own (attacks.py), while a client beside it
measures how long its PINGs take. The attack is borne if the process's memory stays within what it is allowed for that,
if of a hundred PINGs ninety-nine are answered within 50 ms, and if the server is as it was when the attack is over: it
answers, has let go of the attackers, and its log tells of no bug. tests/test_abuse.py has all of them in a small form.
"""
