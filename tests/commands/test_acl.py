"""ACL and AUTH: users, what they may do, and what the log says of it.

Texts of denials are Redis 8's and Valkey's; 7.0 has others, so those cases run on a newer peer.
"""
import hashlib

from tests.rows import (
    BLOCKS,
    CLOSED,
    NOT_INTEGER,
    OK,
    PONG,
    QUEUED,
    R3,
    SYNTAX,
    Any,
    Case,
    Error,
    Holding,
    Matching,
    Push,
    Set,
    Status,
    wrong_args,
)

NEW = {"since": "8.0"}
WRONGPASS = Error("WRONGPASS invalid username-password pair or user is disabled.")
NO_KEY = Error("NOPERM No permissions to access a key")
NO_CHANNEL = Error("NOPERM No permissions to access a channel")
NO_DATABASE = Error("NOPERM No permissions to access database")
KEYS_GIVEN = ("Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
              "Try 'resetkeys' to start with an empty list of patterns")
CHANNELS_GIVEN = ("Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any "
                  "effect. Try 'resetchannels' to start with an empty list of channels")
UNKNOWN = "Unknown command or category name in ACL"
BAD_HASH = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
CHANGED = ("NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This "
           "command is no longer allowed for the following reason: no permission to ")
HASH = hashlib.sha256(b"secret").hexdigest()


def no_command(name, user="u"):
    return Error(f"NOPERM User {user} has no permissions to run the '{name}' command")


def not_in_script(what):
    return Error(f"ERR ACL failure in script: {what}")


def made(*rules, login=True):
    """The rows that make user u anew, and log connection 2 in as it."""
    rows = [("ACL DELUSER u", Any(int)), (("ACL", "SETUSER", "u", "reset", "on", "nopass", *rules), OK)]
    return [*rows, ("@2 AUTH u x", OK)] if login else rows


def bad_rule(rule, reason):
    return (("ACL", "SETUSER", "u", rule), Error(f"ERR Error in ACL SETUSER modifier '{rule}': {reason}"))


def described(*rules, as_text, **conditions):
    """A case of what ACL LIST says of a user with these rules."""
    return Case([*made(*rules, login=False),
                 ("ACL LIST", Holding(f"user u on nopass sanitize-payload {as_text}".encode())),
                 ("ACL DELUSER u", 1)], **conditions)


def user_map(*, commands="-@all", keys="", channels="", selectors=(), passwords=(), flags=("on", "nopass")):
    return {"flags": Set([*flags, "sanitize-payload"]), "passwords": list(passwords), "commands": commands,
            "keys": keys, "channels": channels, "selectors": list(selectors)}


DESCRIBED = {
    "nothing": described(as_text="resetchannels -@all"),
    "all": described("+@all", "~*", "&*", as_text="~* &* +@all"),
    "words in capitals": described("AllKeys", "ALLCHANNELS", "AllCommands", as_text="~* &* +@all"),
    "keys": described("~a", "%R~b", "%W~c", "%rw~d", as_text="~a %R~b %W~c ~d resetchannels -@all"),
    "a key for reading and for writing": described("%R~a", "%W~a", as_text="~a resetchannels -@all"),
    "an empty key": described("%R", "~", as_text="~ resetchannels -@all"),
    "channels": described("&a", "&b", "&a", as_text="resetchannels &a &b -@all"),
    "a command": described("+GET", as_text="resetchannels -@all +get"),
    "a category": described("+@Read", "-@dangerous", as_text="resetchannels -@all +@read -@dangerous", **NEW),
    "a rule that makes another one void": described("+get", "-get", "+set", "+get", **NEW,
                                                    as_text="resetchannels -@all +set +get"),
    "a container and its subcommands": described("+config|get", "+config", "-config|set",
                                                 as_text="resetchannels -@all +config -config|set"),
    "a first argument": described("+select|0", "+get|X", as_text="resetchannels -@all +select|0 +get|x", **NEW),
    "all again": described("+@all", "-get", "+@all", as_text="resetchannels +@all"),
    # Redis 7.0 names the commands in its table's order, which differs from start to start.
    "all but": described("+@all", "-get", "-config|set", as_text="resetchannels +@all -get -config|set", **NEW),
    "a selector": described("~a", "(~b +get)", as_text="~a resetchannels -@all (~b resetchannels -@all +get)"),
    "a selector in pieces": described("(~b", "+get", "&c)", as_text="resetchannels -@all "
                                      "(~b resetchannels &c -@all +get)"),
    "selectors are cleared": described("(~b)", "(~c)", "clearselectors", as_text="resetchannels -@all"),
    "an empty selector, and what looks like two": described(
        "()", "(~a)(~b)", as_text="resetchannels -@all (resetchannels -@all) (~a)(~b resetchannels -@all)"),
    "reset": described("+@all", "~*", "&*", "(~a)", "reset", "on", "nopass", as_text="resetchannels -@all"),
    "nothing is a rule, too": described("", "+get", as_text="resetchannels -@all +get"),
}

CASES = {
    **{f"ACL LIST of {name}": case for name, case in DESCRIBED.items()},
    "wrong rules": [
        ("ACL DELUSER u", Any(int)),
        *(bad_rule(*each) for each in (
            ("x", "Syntax error"), ("%", "Syntax error"), ("%~a", "Syntax error"), ("%RR~a", "Syntax error"),
            ("~a b", "Syntax error"), ("&a b", "Syntax error"), ("+nosuch", UNKNOWN), ("-nosuch", UNKNOWN),
            ("+@nosuch", UNKNOWN), ("+", UNKNOWN), ("+config|nosuch", UNKNOWN), ("-select|0", UNKNOWN),
            ("+select|", "Syntax error"), ("+config|get|x", "Allowing first-arg of a subcommand is not supported"),
            ("(on)", "Syntax error"), ("(+nosuch)", UNKNOWN), ("((~a))", "Syntax error"), ("x)", "Syntax error"),
            ("#abc", BAD_HASH), ("!abc", BAD_HASH),
            ("<abc", "The password you are trying to remove from the user does not exist"))),
        (("ACL", "SETUSER", "u", "~*", "~a"), Error(f"ERR Error in ACL SETUSER modifier '~a': {KEYS_GIVEN}")),
        (("ACL", "SETUSER", "u", "&*", "&a"), Error(f"ERR Error in ACL SETUSER modifier '&a': {CHANNELS_GIVEN}")),
        ("ACL SETUSER u (~a", Error("ERR Unmatched parenthesis in acl selector starting at '(~a'.")),
        (("ACL", "SETUSER", "u u"), Error("ERR Usernames can't contain spaces or null characters")),
        (("ACL", "SETUSER", "u\0u"), Error("ERR Usernames can't contain spaces or null characters")),
        ("ACL GETUSER u", None), ("ACL USERS", ["default"]),
    ],
    "one wrong rule changes nothing": [
        *made("+get", "~a", login=False), bad_rule("+nosuch", UNKNOWN),
        (("ACL", "SETUSER", "u", "+set", "+nosuch"), Any(Error)),
        ("ACL GETUSER u", user_map(commands="-@all +get", keys="~a")), ("ACL DELUSER u", 1),
    ],
    "ACL GETUSER": Case([
        ("ACL GETUSER default", R3(Holding(b"flags", b"~*"), Holding(b"flags"))),
        ("ACL DELUSER u", Any(int)),
        (("ACL", "SETUSER", "u", "reset", ">secret", "%R~a", "~b", "&c", "+@all", "-@dangerous", "(+get ~*)"), OK),
        ("ACL GETUSER u", user_map(
            flags=["off"], passwords=[HASH], commands="+@all -@dangerous", keys="%R~a ~b", channels="&c",
            selectors=[{"commands": "-@all +get", "keys": "~*", "channels": ""}])),
        ("ACL GETUSER nobody", None), ("ACL GETUSER", wrong_args("acl|getuser")), ("ACL DELUSER u nobody", 1),
    ]),
    "passwords": [
        ("ACL DELUSER u", Any(int)), ("ACL SETUSER u on >secret >other +ping", OK),
        ("@2 AUTH u secret", OK), ("@2 PING", PONG), ("@2 AUTH u other", OK), ("@2 AUTH u nothing", WRONGPASS),
        ("@2 ACL WHOAMI", Any()), ("ACL SETUSER u <other", OK), ("@3 AUTH u other", WRONGPASS),
        (("ACL", "SETUSER", "u", f"!{HASH}"), OK), ("@3 AUTH u secret", WRONGPASS), ("@3 AUTH u", Any(Error)),
        (("ACL", "SETUSER", "u", f"#{HASH}"), OK), ("@3 AUTH u secret", OK),
        ("ACL SETUSER u nopass", OK), ("@3 AUTH u whatever", OK), ("ACL SETUSER u resetpass", OK),
        ("@3 AUTH u whatever", WRONGPASS), ("ACL DELUSER u", 1),
    ],
    "a user who is off": [
        *made("+ping"), ("ACL SETUSER u off", OK), ("@2 PING", PONG), ("@3 AUTH u x", WRONGPASS),
        ("@3 AUTH nobody x", WRONGPASS), ("ACL DELUSER u", 1),
    ],
    "commands": Case([
        *made("+get", "+config|get", "+select|1", "allkeys"),
        ("@2 GET k", None), ("@2 SET k v", no_command("set")), ("@2 GET", wrong_args("get")),
        ("@2 CONFIG GET port", Any()), ("@2 CONFIG SET hz 10", no_command("config|set")),
        ("@2 SELECT 1", OK), ("@2 SELECT 0", no_command("select")), ("@2 NOSUCH", Any(Error)),
        ("@2 ACL WHOAMI", no_command("acl|whoami")), ("@2 AUTH default x", OK), ("@2 ACL WHOAMI", "default"),
        ("ACL DELUSER u", 1),
    ], **NEW),
    "a change concerns who is connected": Case([
        *made("+get", "allkeys"), ("@2 GET k", None), ("ACL SETUSER u -get", OK), ("@2 GET k", no_command("get")),
        ("ACL SETUSER u +@all", OK), ("@2 GET k", None), ("ACL SETUSER u allchannels", OK), ("@2 SET k v", OK),
        ("ACL SETUSER u resetkeys ~a", OK), ("@2 GET k", NO_KEY), ("ACL DELUSER u", 1),
    ], **NEW),
    "keys": Case([
        *made("+@all", "~a*", "%R~r*", "%W~w*"),
        ("@2 SET a1 v", OK), ("@2 GET a1", "v"), ("@2 GET b", NO_KEY), ("@2 GET r1", None), ("@2 SET r1 v", NO_KEY),
        ("@2 SET w1 v", OK), ("@2 GET w1", NO_KEY), ("@2 SET w1 v GET", NO_KEY), ("@2 SET a1 v GET", "v"),
        ("@2 MGET a1 b", NO_KEY), ("@2 MSET a1 v b v", NO_KEY), ("@2 DEL w1", 1), ("@2 DEL r1", NO_KEY),
        ("@2 COPY r1 w1", 0), ("@2 COPY w1 a1", NO_KEY), ("@2 EXISTS w1", 0), ("@2 EXISTS b", NO_KEY),
        ("@2 BITFIELD r1 GET u8 0", [0]), ("@2 BITFIELD r1 SET u8 0 1", NO_KEY), ("@2 STRLEN r1", 0),
        ("@2 SUNIONSTORE w1 r1 a2", 0), ("@2 SUNIONSTORE r1 a1", NO_KEY), ("@2 OBJECT ENCODING b", NO_KEY),
        ("@2 LMPOP 1 b LEFT", NO_KEY), ("@2 ZUNION 2 a2 b", NO_KEY), ("@2 KEYS *", Any(list)), ("ACL DELUSER u", 1),
    ], **NEW),
    "SORT reads keys that are not among its arguments": Case([
        ("RPUSH a 1 2", 2), ("SET b1 x", OK), *made("+@all", "~a*"), ("@2 SORT a", ["1", "2"]),
        ("@2 SORT a BY b*", Error("ERR BY option of SORT denied due to insufficient ACL permissions.")),
        ("@2 SORT a BY nosort", ["1", "2"]),
        ("@2 SORT a GET b*", Error("ERR GET option of SORT denied due to insufficient ACL permissions.")),
        ("@2 SORT_RO a GET #", Error("ERR GET option of SORT denied due to insufficient ACL permissions.")),
        ("@2 SORT a STORE b", NO_KEY), ("@2 SORT a STORE a2", 2), ("@2 SORT a STORE b STORE a2", 2),
        ("@2 SORT a STORE a2 STORE b", NO_KEY), ("@2 SORT a GET", SYNTAX),
        ("ACL SETUSER u %R~*", OK), ("@2 SORT a GET b*", ["x", None]), ("@2 SORT a BY b* ALPHA", Any(list)),
        ("ACL SETUSER u resetkeys ~a* (+sort %R~*)", OK), ("@2 SORT a BY b* ALPHA", Any(list)), ("ACL DELUSER u", 1),
    ], **NEW),
    "which keys GEORADIUS and XREADGROUP use": Case([
        *made("+@all", "~a*"), ("@2 GEORADIUS a 0 0 1 m STORE b STORE a2", 0),
        ("@2 GEORADIUS a 0 0 1 m STORE a2 STORE b", NO_KEY),
        ("@2 GEORADIUS a 0 0 1 m STORE a2 STOREDIST b", NO_KEY),
        ("@2 GEORADIUSBYMEMBER a x 1 m STORE a2 STORE b", NO_KEY), ("@2 GEORADIUS a 0 0 1 m STOREDIST b", NO_KEY),
        ("@2 XREADGROUP COUNT 1 GROUP g STREAMS STREAMS b 0", NO_KEY),
        ("@2 XREADGROUP COUNT 1 GROUP STREAMS c STREAMS b 0", NO_KEY),
        ("@2 XREAD STREAMS a b 0 0", NO_KEY), ("@2 XREAD STREAMS a a2 0 0", Any()), ("ACL DELUSER u", 1),
    ], peer="Redis looks at other keys than the commands use"),
    "SORT STORE store": Case([
        ("RPUSH a 1", 1), *made("+@all", "~a*"), ("@2 SORT a STORE store ASC", NO_KEY), ("ACL DELUSER u", 1),
    ], peer="Redis looks at another key than the command uses"),
    "selectors": Case([
        *made("+get", "~a*", "(+set ~b*)", "(+publish &c)"),
        ("@2 GET a", None), ("@2 SET b v", OK), ("@2 GET b", NO_KEY), ("@2 SET a v", NO_KEY),
        ("@2 DEL a", no_command("del")), ("@2 PUBLISH c x", 0), ("@2 PUBLISH d x", NO_CHANNEL), ("ACL DELUSER u", 1),
    ], **NEW),
    "channels": Case([
        *made("+@all", "&a*", "&p?"),
        ("@2 PUBLISH abc x", 0), ("@2 PUBLISH b x", NO_CHANNEL), ("@2 SPUBLISH b x", NO_CHANNEL),
        ("@2 SUBSCRIBE b", NO_CHANNEL), ("@2 SUBSCRIBE a b", NO_CHANNEL), ("@2 SSUBSCRIBE b", NO_CHANNEL),
        ("@2 PSUBSCRIBE abc", NO_CHANNEL), ("@2 PSUBSCRIBE a*", Push(["psubscribe", "a*", 1])),
        ("@2 PSUBSCRIBE p?", Push(["psubscribe", "p?", 2])), ("@2 SUBSCRIBE px", Push(["subscribe", "px", 3])),
        ("@2 UNSUBSCRIBE other", Push(["unsubscribe", "other", 3])), ("ACL DELUSER u", 1),
    ], **NEW),
    "who loses a channel is disconnected": [
        *made("+@all", "&a", "&b"), ("@2 SUBSCRIBE a", Push(["subscribe", "a", 1])), ("@3 AUTH u x", OK),
        ("@3 SUBSCRIBE b", Push(["subscribe", "b", 1])), ("@4 AUTH u x", OK),
        ("@4 PSUBSCRIBE a", Push(["psubscribe", "a", 1])),
        ("ACL SETUSER u resetchannels &b &c", OK), ("@2 <", CLOSED), ("@4 <", CLOSED), ("PUBLISH b x", 1),
        ("ACL DELUSER u", 1), ("@3 <", Push(["message", "b", "x"])), ("@3 <", CLOSED),
    ],
    "who is deleted is disconnected": [
        *made("+@all"), ("ACL DELUSER u", 1), ("@2 <", CLOSED),
        *made("+@all", login=False), ("@3 AUTH u x", OK), ("@3 ACL DELUSER u", 1), ("@3 <", CLOSED),
        ("ACL USERS", ["default"]),
        ("ACL DELUSER default", Error("ERR The 'default' user cannot be removed")),
        ("ACL DELUSER u default", Error("ERR The 'default' user cannot be removed")),
    ],
    "EVAL": Case([
        *made("+eval", "+set", "+publish", "~a*"),
        ("@2 EVAL 'return 1' 1 b", NO_KEY), ("@2 EVAL 'return 1' 1 a", 1),
        ("@2 EVAL \"return redis.call('set', 'a', 1)\" 0", OK),
        ("@2 EVAL \"return redis.pcall('set', 'b', 1)\" 0", not_in_script("No permissions to access a key")),
        ("@2 EVAL \"return redis.call('set', 'b', 1)\" 0",
         Matching("ERR ACL failure in script: No permissions to access a key script: .*")),
        ("@2 EVAL \"return redis.pcall('get', 'a')\" 0",
         not_in_script("User u has no permissions to run the 'get' command")),
        ("@2 EVAL \"return redis.pcall('publish', 'c', 1)\" 0", not_in_script("No permissions to access a channel")),
        ("@2 EVAL \"return redis.acl_check_cmd('set', 'a', 1)\" 0", 1),
        ("@2 EVAL \"return redis.acl_check_cmd('set', 'b', 1)\" 0", None),
        ("@2 EVAL \"return redis.acl_check_cmd('get', 'a')\" 0", None), ("ACL DELUSER u", 1),
    ], **NEW, resp=(2,)),
    "MULTI": Case([
        *made("+multi", "+exec", "+set", "+get", "allkeys"), ("@2 MULTI", OK), ("@2 SET k v", QUEUED),
        ("@2 DEL k", no_command("del")),
        ("@2 EXEC", Error("EXECABORT Transaction discarded because of previous errors.")),
        ("@2 MULTI", OK), ("@2 SET k v", QUEUED), ("@2 GET k", QUEUED), ("ACL SETUSER u -set resetkeys", OK),
        ("@2 EXEC", [Error(CHANGED + "execute the command or subcommand"),
                     Error(CHANGED + "touch the specified keys")]),
        ("EXISTS k", 0), ("ACL DELUSER u", 1),
    ], **NEW),
    "MULTI and channels": [
        *made("+@all", "&c"), ("@2 MULTI", OK), ("@2 PUBLISH c x", QUEUED), ("ACL SETUSER u resetchannels", OK),
        ("@2 EXEC", [Error(CHANGED.replace("no permission to ", "no permission to access one of the channels used as "
                                                                "arguments"))]), ("ACL DELUSER u", 1),
    ],
    "a command that waited": Case([
        *made("+@all", "~k"), ("@2 BLPOP k 0", BLOCKS), ("ACL SETUSER u resetkeys", OK), ("RPUSH k x", 1),
        ("@2 <", NO_KEY), ("LLEN k", 1), ("@2 LPOP k", NO_KEY), ("ACL DELUSER u", 1),
    ], **NEW),
    "AUTH as somebody else, and RESET": [
        *made("+@all"), ("@2 ACL WHOAMI", "u"), ("@2 CLIENT INFO", Matching(".* user=u .*")), ("@2 RESET", Any()),
        ("@2 ACL WHOAMI", "default"), ("CLIENT KILL USER nobody", Error("ERR No such user 'nobody'")),
        ("@2 AUTH u x", OK), ("CLIENT KILL USER u", 1), ("@2 <", CLOSED), ("ACL DELUSER u", 1),
    ],
    "the default user": Case([
        ("CONFIG SET requirepass secret", OK), ("ACL LIST", Any(list)),
        ("@2 PING", Error("NOAUTH Authentication required.")), ("@2 AUTH secret", OK), ("@2 PING", PONG),
        ("ACL SETUSER default nopass", OK), ("@3 PING", PONG), ("CONFIG GET requirepass", {"requirepass": "secret"}),
        ("ACL SETUSER default resetpass >other", OK), ("@4 AUTH secret", WRONGPASS), ("@4 AUTH other", OK),
        ("ACL SETUSER default resetpass nopass", OK),
    ], resp=(2,)),
    "ACL CAT": [
        ("ACL CAT", Holding(b"keyspace", b"read", b"scripting")),
        ("ACL CAT scripting", Holding(b"eval", b"script|load")), ("ACL CAT STREAM", Holding(b"xadd", b"xinfo|stream")),
        ("ACL CAT nosuch", Error("ERR Unknown category 'nosuch'")),
        ("ACL CAT a b", Error("ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.")),
    ],
    "ACL GENPASS": [
        ("ACL GENPASS", Matching("[0-9a-f]{64}")), ("ACL GENPASS 5", Matching("[0-9a-f]{2}")),
        ("ACL GENPASS 4096", Matching("[0-9a-f]{1024}")), ("ACL GENPASS x", NOT_INTEGER),
        *((f"ACL GENPASS {bits}", Error("ERR ACL GENPASS argument must be the number of bits for the output password, "
                                        "a positive number up to 4096")) for bits in (0, -1, 4097)),
    ],
    "ACL DRYRUN": Case([
        *made("+get", "+publish", "+client|id", "~a*", "&c", login=False),
        ("ACL DRYRUN u GET a", OK), ("ACL DRYRUN u GET b", "User u has no permissions to access the 'b' key"),
        ("ACL DRYRUN u SET a b", "User u has no permissions to run the 'set' command"),
        ("ACL DRYRUN u PUBLISH d x", "User u has no permissions to access the 'd' channel"),
        ("ACL DRYRUN u CLIENT ID", OK),
        ("ACL DRYRUN u CLIENT LIST", "User u has no permissions to run the 'client|list' command"),
        ("ACL DRYRUN default SET a b", OK), ("ACL DRYRUN nobody GET a", Error("ERR User 'nobody' not found")),
        ("ACL DRYRUN u NOSUCH", Error("ERR Command 'NOSUCH' not found")),
        ("ACL DRYRUN u CLIENT NOSUCH", Error("ERR Command 'CLIENT' not found")),
        ("ACL DRYRUN u GET", wrong_args("get")),
        ("ACL DRYRUN u CLIENT", wrong_args("client")), ("ACL DELUSER u", 1),
    ], **NEW),
    "no file": [
        *((f"ACL {word}", Error(
            "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL "
            "SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in "
            "order to store users in the Redis configuration.")) for word in ("LOAD", "SAVE")),
    ],
    "wrong numbers of arguments": [
        *((f"ACL {word}", wrong_args(f"acl|{word.split()[0].lower()}")) for word in (
            "DELUSER", "DRYRUN u", "GETUSER a b", "LIST x", "LOAD x", "SAVE x", "SETUSER", "USERS x", "WHOAMI x",
            "HELP x")),
        ("ACL", wrong_args("acl")), ("ACL NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try ACL HELP.")),
        ("ACL GENPASS 1 2", Error("ERR unknown subcommand or wrong number of arguments for 'GENPASS'. Try ACL HELP.")),
        ("ACL LOG 1 2", Error("ERR unknown subcommand or wrong number of arguments for 'LOG'. Try ACL HELP.")),
        ("ACL HELP", Holding(Status("WHOAMI"))),
    ],
    "ACL LOG": Case([
        ("ACL LOG RESET", OK), *made("+get", "+multi", "+exec", "+eval", "~a"), ("ACL LOG", []),
        ("@2 SET a b", Any(Error)), ("@2 GET b", Any(Error)), ("@2 GET b", Any(Error)), ("@3 AUTH u2 x", WRONGPASS),
        ("@2 MULTI", OK), ("@2 GET c", Any(Error)), ("@2 EXEC", Any(Error)),
        ("@2 EVAL \"redis.call('get', 'd')\" 0", Any(Error)),
        ("ACL LOG", [
            Holding(b"key", b"lua", b"d", b"u", Matching(".* cmd=eval user=u .*")), Holding(b"key", b"multi", b"c"),
            Holding(b"auth", b"toplevel", b"AUTH", b"u2"),
            Holding(b"key", b"toplevel", b"b", 2, Matching(".* cmd=get user=u .*")), Holding(b"command", b"set", 1)]),
        ("ACL LOG 1", [Any()]), ("ACL LOG 0", []), ("ACL LOG -1", []), ("ACL LOG x", NOT_INTEGER),
        ("CONFIG SET acllog-max-len 2", OK), ("@2 SET a b", Any(Error)), ("@2 GET e", Any(Error)),
        ("ACL LOG", [Any(), Any()]), ("ACL LOG reset", OK), ("ACL LOG", []), ("ACL DELUSER u", 1),
    ], **NEW, resp=(2,)),
    "db=": Case([
        *made("+@all", "~*", "&*", "db=1,2"), ("@2 GET k", NO_DATABASE), ("@2 PING", PONG), ("@2 PUBLISH c x", 0),
        ("@2 SELECT 0", NO_DATABASE), ("@2 SELECT 3", NO_DATABASE), ("@2 SELECT 1", OK), ("@2 GET k", None),
        ("@2 SET k v", OK), ("@2 COPY k k DB 0", NO_DATABASE), ("@2 COPY k k DB 2", 1), ("@2 MOVE k 0", NO_DATABASE),
        ("@2 SWAPDB 0 1", NO_DATABASE), ("@2 SWAPDB 1 2", OK), ("@2 FLUSHALL", NO_DATABASE), ("@2 FLUSHDB", OK),
        ("@2 SELECT x", NOT_INTEGER), ("@2 SELECT 99", Error("ERR DB index is out of range")),
        ("@2 SWAPDB 0 99", Error("ERR DB index is out of range")), ("ACL DRYRUN u SELECT 99", OK),
        ("ACL DRYRUN u SWAPDB 99 0", OK), ("ACL DRYRUN u SWAPDB x 0", OK),
        ("ACL DRYRUN u SWAPDB 3 0", "User u has no permissions to access database 3"),
        ("ACL DRYRUN u COPY a b DB 1", "User u has no permissions to access database COPY"),
        ("ACL DRYRUN u COPY a b REPLACE DB 0", "User u has no permissions to access database 0"),
        ("ACL DRYRUN u COPY a b DB 0 DB 99", "User u has no permissions to access database COPY"),
        ("ACL DRYRUN u MOVE a 99", "User u has no permissions to access database MOVE"),
        ("@2 EVAL \"return redis.pcall('select', 0)\" 0", not_in_script("No permissions to access database")),
        ("ACL DRYRUN u GET k", "User u has no permissions to access database GET"),
        ("ACL DRYRUN u SELECT 0", "User u has no permissions to access database 0"),
        ("ACL DELUSER u", 1),
    ], since="valkey 9.1", resp=(2,)),
    "db= in rules": Case([
        *made("db=3,1,1", login=False), ("ACL LIST", Holding(Matching("user u on nopass .*db=1,3 -@all"))),
        ("ACL SETUSER u alldbs", OK), ("ACL SETUSER u resetdbs", OK),
        ("ACL LIST", Holding(Matching("user u on nopass .*resetdbs -@all"))),
        bad_rule("db=", "Syntax error"), bad_rule("db=1,", "Syntax error"), bad_rule("db=x", "Syntax error"),
        bad_rule("db=-1", "The provided database ID is out of range"),
        bad_rule("db=2147483648", "The provided database ID is out of range"), ("ACL DELUSER u", 1),
    ], since="valkey 9.1"),
}


def test_rows(row_case):
    row_case.check()
