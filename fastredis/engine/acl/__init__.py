"""Access control: users, what they may do, and the log of what they were denied.

    user      a user as requests are checked against it: bitmaps and patterns
    access    the check of one request, or of a channel
    rules     the language of ACL SETUSER: read, and written back
    users     the users of one engine, in a file or in the configuration
    log       ACL LOG
"""
