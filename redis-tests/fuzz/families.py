"""What difffuzz.py may send: the commands by family, the values in them, and what of their
replies two right servers need not agree about."""

import elements
import groups
import scripting

# One command template a line, with an optional weight before it.
#   UPPER, other   literal            lower   a value from the Generator method of that name
#   ?X             X or nothing       +X      X one to four times
#   (A B|C)        one alternative
FAMILIES = {
    "strings": """
        8 SET s value
        4 SET s value ?(NX|XX) ?GET ?(EX secs|PX msecs|EXAT at|PXAT msat|KEEPTTL)
        4 GET s
        GETSET s value
        GETDEL s
        GETEX s ?(EX secs|PX msecs|EXAT at|PXAT msat|PERSIST)
        SETNX s value
        SETEX s secs value
        PSETEX s msecs value
        2 MSET +(s value)
        MSETNX +(s value)
        2 MGET +s
        2 APPEND s value
        2 STRLEN s
        2 SETRANGE s offset value
        2 (GETRANGE|SUBSTR) s index index
        3 (INCR|DECR) s
        3 (INCRBY|DECRBY) s int
        2 INCRBYFLOAT s float
        3 SET s int
        LCS s s ?(LEN|IDX ?(MINMATCHLEN small) ?WITHMATCHLEN)
    """,
    "bits": """
        3 SETBIT s bit (0|1)
        3 GETBIT s bit
        3 BITCOUNT s ?(index index ?(BYTE|BIT))
        3 BITPOS s (0|1) ?(index ?(index ?(BYTE|BIT)))
        2 BITOP (AND|OR|XOR) s +s
        BITOP NOT s s
        2 BITFIELD s +(GET bitwidth bit|SET bitwidth bit int|INCRBY bitwidth bit int)
        BITFIELD s OVERFLOW (WRAP|SAT|FAIL) INCRBY bitwidth bit int
        BITFIELD_RO s GET bitwidth bit
        2 SET s value
    """,
    "generic": """
        3 SET s value
        2 (DEL|UNLINK) +any
        3 EXISTS +any
        3 TYPE any
        TOUCH +any
        2 RENAME any any
        2 RENAMENX any any
        2 COPY any any ?REPLACE
        2 KEYS pattern
        SCAN 0 COUNT 100000 ?(MATCH pattern) ?(TYPE (string|hash|list|set|zset|stream))
        DBSIZE
        RANDOMKEY
        ECHO value
        PING ?value
    """,
    "expiry": """
        3 SET s value ?(EX secs|PX msecs|EXAT at|PXAT msat)
        3 EXPIRE any (secs|past) ?(NX|XX|GT|LT)
        3 PEXPIRE any (msecs|past) ?(NX|XX|GT|LT)
        2 EXPIREAT any (at|past) ?(NX|XX|GT|LT)
        2 PEXPIREAT any (msat|past) ?(NX|XX|GT|LT)
        4 TTL any
        4 PTTL any
        2 (EXPIRETIME|PEXPIRETIME) any
        3 PERSIST any
        GETEX s ?(EX secs|PX msecs|EXAT at|PXAT msat|PERSIST)
        SET s value KEEPTTL
        GETSET s value
        APPEND s value
        INCR s
        2 GET s
        (SET s value PX|PSETEX s|PEXPIRE any) soon ?value
        SET s value PX soon
        PEXPIRE any soon
    """,
    "hyperloglog": """
        4 PFADD p +(value)
        2 PFADD p +member
        PFADD p
        3 PFCOUNT +p
        2 PFMERGE p +p
        GET p
        STRLEN p
        SET p value
    """,
    "dump": """
        2 SET s value
        2 DUMP any
        4 RESTORE s (0|msecs) payload ?REPLACE
        RESTORE s msat payload ABSTTL ?REPLACE
        RESTORE s 0 payload REPLACE (IDLETIME secs|FREQ small|FREQ offset|JUNK)
        RESTORE s (past|word) payload
        RESTORE s 0 value REPLACE
        TTL s
        GET s
    """,
    "databases": """
        3 SELECT database
        3 MOVE any database
        2 SWAPDB database database
        3 COPY any any DB database ?REPLACE
        4 SET s value ?(PX msecs)
        3 GET s
        PTTL any
        DBSIZE
        KEYS pattern
        FLUSHDB ?(SYNC|ASYNC|value)
        DEL +any
    """,
    "sort": """
        3 SORT any ?(BY pattern) ?(LIMIT index index) ?(GET pattern) ?(ASC|DESC) ?ALPHA
        2 SORT_RO any ?(LIMIT index index) ?(ASC|DESC) ?ALPHA
        SORT any ?ALPHA STORE s
        SET s value
    """,
    "object": """
        2 OBJECT (ENCODING|REFCOUNT) any
        OBJECT (FREQ|IDLETIME) any
        OBJECT (NOSUCH|ENCODING) +any
        SET s (value|int|float)
        APPEND s value
        MEMORY USAGE missing ?(SAMPLES int)
        TYPE any
    """,
    "server": """
        PUBLISH channel value
        SPUBLISH channel value
        PUBSUB (CHANNELS|SHARDCHANNELS) ?pattern
        PUBSUB (NUMSUB|SHARDNUMSUB) ?(+channel)
        PUBSUB NUMPAT
        (PUBSUB|OBJECT|CONFIG|CLIENT|COMMAND|SLOWLOG|LATENCY|MEMORY|ACL|DEBUG) (NOSUCH|value) ?value
        CLIENT (GETNAME|GETREDIR|TRACKINGINFO|NO-EVICT) ?(value|OFF)
        CLIENT SETNAME (value|int|float)
        CLIENT SETNAME value value
        CLIENT (KILL|UNBLOCK) (ID|TYPE|ADDR|USER|SKIPME) (-1|value)
        CLIENT REPLY (value|ON)
        CLIENT CACHING (YES|NO|value)
        CLIENT TRACKING (OFF|value)
        CLIENT UNPAUSE ?value
        SLOWLOG (RESET|NOSUCH) ?value
        LATENCY (RESET|HISTORY|GRAPH|LATEST) ?value
        COMMAND (GETKEYS|INFO|GETKEYSANDFLAGS) (GET|SET|MGET|COPY|SORT|NOSUCH) ?(s) ?value
        CONFIG (GET|SET|RESETSTAT) value ?value
        ACL (WHOAMI|CAT|GETUSER|DELUSER|DRYRUN) ?(value|default) ?value
        AUTH (value|default) ?value
        HELLO (4|int|word)
        RESET value
        ECHO value
        PING value value
    """,
    "multi": """
        4 MULTI
        2 WATCH +any
        UNWATCH
        DISCARD
        EXEC
        SET s value
        PEXPIRE any msecs
    """,
    **elements.FAMILIES,
    "groups": groups.GROUPS,
    **scripting.FAMILIES,
}

# Key letters that join the pool of `any` with a family.
KEY_FAMILY = {"h": "hash", "l": "list", "t": "set", "z": "zset", "r": "stream", "g": "geo", "p": "hyperloglog"}

RANDOM = {"RANDOMKEY", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER", "SPOP"}
UNORDERED = {"KEYS", "SMEMBERS", "SINTER", "SUNION", "SDIFF", "HKEYS", "HVALS"}
PAIRS = {"HGETALL"}
SCANS = {"SCAN": 1, "SSCAN": 1, "HSCAN": 2, "ZSCAN": 2}
CLOCKS = {"TTL": 2, "EXPIRETIME": 2, "PTTL": 2000, "PEXPIRETIME": 2000}

WORDS = [b"a", b"b", b"abc", b"ohmytext", b"mynewtext", b"", b"x" * 70, b"\x00\xff\r\n", b"two words"]
INTEGERS = [b"0", b"1", b"-1", b"7", b"10", b"100", b"-42", b"9223372036854775807", b"-9223372036854775808"]
NOT_QUITE = [b"01", b"+1", b" 1", b"1 ", b"-0", b"1.0", b"9223372036854775808", b"1e2", b"inf", b"nan"]
FLOATS = [b"0.5", b"-0.25", b"1.5", b"3", b"-7", b"5.0e3", b"0.1", b"1024.125", b"1e17", b"-1e-7", b"0x10"]
SCORES = [b"0", b"1", b"-1", b"2.5", b"-0.25", b"10", b"1e3", b"inf", b"-inf", b"1e20"]
SCORES += [b"0.1", b"-0", b"1e-7", b"3.141592653589793", b"9007199254740993"]
PATTERNS = [b"*", b"s*", b"?0", b"s[01]", b"[^s]*", b"*[0-1]", b"s\\0", b"[", b"", b"h?*", b"m*", b"**2"]
JUNK = [b"", b"abc", b"-1", b"0", b"1.5", b" 1", b"9223372036854775807", b"9223372036854775808"]
JUNK += [b"-9223372036854775808", b"nan", b"inf", b"-inf", b"1e400", b"0x1", b"\0", b"COUNT", b"LIMIT", b"x" * 70]
# Places whose hashes share a few, many and all bits; the poles and the line of change are near some of them.
PLACES = [(13.361389, 38.115556), (15.087269, 37.502669), (2.349014, 48.864716), (-179.9, -85), (179.99, 85), (0, 0)]
PLACES += [(-122.4194, 37.7749), (139.6917, 35.6895), (13.3614, 38.1155), (151.2, -33.86), (-0.0001, 0.0001), (180, 10)]
