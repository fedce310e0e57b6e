"""What difffuzz.py sends to types that have elements: hashes, lists, sets, sorted sets, places, streams. How a line is
written stands in families.py."""

# What every type of elements has to stand, with the letter of its keys in the place of KEY.
EVERYWHERE = """
    2 OBJECT ENCODING KEY
    TYPE KEY
    2 DUMP KEY
    2 RESTORE KEY 0 payload ?REPLACE
    COPY KEY KEY ?REPLACE
    RENAME KEY KEY
    DEL KEY
    PEXPIRE KEY msecs
    PTTL KEY
    MEMORY USAGE KEY ?(SAMPLES (0|int))
    SORT KEY ?(BY (pattern|by|nosort)) ?(LIMIT index index) ?(GET (#|by|pattern)) ?(ASC|DESC) ?ALPHA
    SORT_RO KEY ?(LIMIT index index) ?(ASC|DESC) ALPHA
    CONFIG SET threshold
"""

HASH = """
    5 HSET h +(field value)
    2 HSET h field int
    2 HSET h +(word value)
    HSETNX h field value
    HMSET h +(field value)
    3 HGET h (field|word)
    2 HMGET h +field
    2 HDEL h +(field|word)
    2 (HEXISTS|HSTRLEN) h (field|word)
    HLEN h
    3 HINCRBY h field int
    2 HINCRBYFLOAT h field (float|score|int)
    2 (HGETALL|HKEYS|HVALS) h
    HRANDFIELD h ?(count ?WITHVALUES)
    HRANDFIELD h (huge|9223372036854775808|-9223372036854775808) ?WITHVALUES
    HSCAN h 0 COUNT 1000 ?(MATCH pattern)
    HSCAN h (value|0) (COUNT (0|-1|word)|MATCH|NOSUCH value)
    (HSET|HMSET) h +field
    HSET h many
"""

LIST = """
    5 (LPUSH|RPUSH) l +value
    2 (LPUSH|RPUSH) l many
    (LPUSHX|RPUSHX) l +value
    3 (LPOP|RPOP) l ?count
    (LPOP|RPOP) l (huge|9223372036854775808|-9223372036854775808)
    LLEN l
    4 LRANGE l index index
    LRANGE l (huge|-9223372036854775808|index) (huge|index)
    2 LINDEX l (index|huge|-9223372036854775808)
    2 LSET l (index|index|huge) value
    3 LINSERT l (BEFORE|AFTER|value) value value
    3 LREM l (index|huge|-9223372036854775808) value
    2 LTRIM l index index
    LTRIM l (huge|-9223372036854775808|index) (huge|index)
    3 LPOS l value ?(RANK index) ?(COUNT small) ?(MAXLEN small)
    LPOS l value (RANK|COUNT|MAXLEN|value) (huge|-9223372036854775808|-9223372036854775807|0|-1|value)
    3 LMOVE l l (LEFT|RIGHT) (LEFT|RIGHT)
    RPOPLPUSH l l
    2 LMPOP small +l (LEFT|RIGHT) ?(COUNT (small|count|huge))
    BLPOP +l shortly
    BRPOP +l shortly
    BLMOVE l l (LEFT|RIGHT|value) (LEFT|RIGHT) shortly
    BRPOPLPUSH l l shortly
    BLMPOP shortly small +l (LEFT|RIGHT) ?(COUNT (small|count))
    SORT l ?ALPHA STORE l
"""

SET = """
    6 SADD t +member
    2 SADD t +value
    2 SADD t +int
    SADD t many
    2 SREM t +member
    SREM t +value
    2 SISMEMBER t (member|int)
    SMISMEMBER t +member
    SCARD t
    3 SMEMBERS t
    3 (SINTER|SUNION|SDIFF) +t
    3 (SINTERSTORE|SUNIONSTORE|SDIFFSTORE) t +t
    2 SINTERCARD small +t ?(LIMIT (small|count|huge))
    2 SMOVE t t (member|value)
    SRANDMEMBER t ?count
    SRANDMEMBER t (huge|9223372036854775808|-9223372036854775808)
    SPOP t ?small
    SPOP t (count|huge|-9223372036854775808)
    SSCAN t 0 COUNT 1000 ?(MATCH pattern)
    SSCAN t (value|0) (COUNT (0|-1|word)|MATCH|NOSUCH value)
    SORT t ALPHA
"""

ZSET = """
    6 ZADD z +(score member)
    3 ZADD z ?(NX|XX) ?(GT|LT) ?CH ?INCR +(score member)
    ZADD z many
    2 ZADD z (score value|NX|CH INCR score member score member|INCR (inf|-inf|nan) member)
    2 ZREM z +(member|value)
    3 ZSCORE z (member|value)
    ZMSCORE z +member
    3 ZINCRBY z (score|float|int) member
    ZCARD z
    2 ZCOUNT z bound bound
    2 (ZRANK|ZREVRANK) z member ?WITHSCORE
    4 ZRANGE z index index ?REV ?WITHSCORES
    3 ZRANGE z bound bound BYSCORE ?REV ?(LIMIT index index) ?WITHSCORES
    ZRANGE z (index|bound|lexbound) (index|bound|lexbound) ?(BYSCORE|BYLEX) ?(LIMIT index (index|huge)) ?WITHSCORES
    ZREVRANGE z index index ?WITHSCORES
    3 (ZRANGEBYSCORE|ZREVRANGEBYSCORE) z bound bound ?WITHSCORES ?(LIMIT index index)
    3 ZADD x +(0 (member|word))
    2 (ZRANGEBYLEX|ZREVRANGEBYLEX) x lexbound lexbound ?(LIMIT index index)
    ZRANGE x lexbound lexbound BYLEX ?REV ?(LIMIT index (index|huge))
    2 (ZLEXCOUNT|ZREMRANGEBYLEX) x lexbound lexbound
    ZREMRANGEBYRANK z (index|huge|-9223372036854775808) (index|huge)
    ZREMRANGEBYSCORE z bound bound
    2 (ZPOPMIN|ZPOPMAX) z ?(small|count|huge|-9223372036854775808)
    2 ZMPOP small +(z|t) (MIN|MAX|value) ?(COUNT (small|count|huge))
    2 (ZUNION|ZINTER) small +(z|t) ?(WEIGHTS +score) ?(AGGREGATE (SUM|MIN|MAX|value)) ?WITHSCORES
    (ZUNION|ZINTER) 2 z (z|t) WEIGHTS score (score|value) ?(AGGREGATE (SUM|MIN|MAX)) ?WITHSCORES
    2 ZDIFF small +(z|t) ?WITHSCORES
    2 (ZUNIONSTORE|ZINTERSTORE) z small +(z|t) ?(WEIGHTS +score) ?(AGGREGATE (SUM|MIN|MAX))
    2 ZDIFFSTORE z small +(z|t)
    2 ZINTERCARD small +(z|t) ?(LIMIT (small|count|huge))
    2 ZRANGESTORE z z index index ?REV
    ZRANGESTORE z z bound bound BYSCORE ?REV ?(LIMIT index index)
    ZRANGESTORE x x lexbound lexbound BYLEX ?REV ?(LIMIT index index)
    ZRANDMEMBER z ?(count ?WITHSCORES)
    ZRANDMEMBER z (huge|9223372036854775808|-9223372036854775808) ?WITHSCORES
    ZSCAN z 0 COUNT 1000 ?(MATCH pattern)
    ZSCAN z (value|0) (COUNT (0|-1|word)|MATCH|NOSUCH value)
    (BZPOPMIN|BZPOPMAX) +z shortly
    BZMPOP shortly small +z (MIN|MAX|value) ?(COUNT (small|count))
    2 SADD t +member
    SORT z ?(BY nosort) ?(LIMIT small small) ?(ASC|DESC) ALPHA
"""

# Distances are stored under keys of their own, which nobody asks for scores: docs/differences.md.
GEO = """
    8 GEOADD g ?(NX|XX) ?CH +(longitude latitude place)
    2 GEOADD g (value|longitude) (latitude|value) place
    2 ZADD g score place
    3 GEOPOS g +place
    3 GEODIST g place place ?(unit|value)
    3 GEOHASH g +place
    5 GEOSEARCH g (FROMMEMBER place|FROMLONLAT longitude latitude) area ?(ASC|DESC) ?(COUNT small ?ANY) having
    GEOSEARCH g (FROMMEMBER place|FROMLONLAT value latitude) area having ?(COUNT (count|huge|value))
    2 GEOSEARCHSTORE g g (FROMMEMBER place|FROMLONLAT longitude latitude) area ?(ASC|DESC) ?(COUNT small ?ANY)
    GEOSEARCHSTORE d g (FROMMEMBER place|FROMLONLAT longitude latitude) area ?(COUNT small) STOREDIST
    2 (GEORADIUS|GEORADIUS_RO) g longitude latitude radius unit having ?(COUNT small ?ANY) ?(ASC|DESC)
    2 (GEORADIUSBYMEMBER|GEORADIUSBYMEMBER_RO) g place radius unit having ?(COUNT small ?ANY) ?(ASC|DESC)
    GEORADIUS g longitude latitude radius unit ?(COUNT small) (STORE g|STOREDIST d|STORE|WITHDIST STORE g)
    GEORADIUSBYMEMBER g place radius unit ?(ASC|DESC) (STORE g|STOREDIST d|STORE g STOREDIST d)
    GEORADIUSBYMEMBER_RO g place radius unit STORE g
    ZRANGE g 0 -1 ?WITHSCORES
    ZRANGE d 0 -1
    ZREM g +place
    ZSCORE g place
    ZREMRANGEBYRANK g index index
"""

STREAM = """
    8 XADD r newid +(field value)
    4 XADD r newid field value
    2 XADD r ?NOMKSTREAM ?(MAXLEN ?(=|~) count|MINID ?(=|~) id) ?(LIMIT count) newid +(field value)
    XADD r (id|MAXLEN count id|NOMKSTREAM value) field value
    3 XLEN r
    4 XRANGE r idbound idbound ?(COUNT count)
    3 XREVRANGE r idbound idbound ?(COUNT count)
    3 XREAD ?(COUNT count) STREAMS r id
    XREAD ?(COUNT count) STREAMS r r (id id|$ id|id $|value id)
    XREAD ?(COUNT count) BLOCK (1|10|-1|word) STREAMS r (id|$)
    2 XDEL r +id
    2 XTRIM r (MAXLEN|MINID) ?(=|~) (count|id) ?(LIMIT count)
    XSETID r (newid|id) ?(ENTRIESADDED count) ?(MAXDELETEDID id)
    2 XINFO STREAM r ?(FULL ?(COUNT count))
    XINFO STREAM (r|any) ?(value) ?(COUNT value)
"""


def everywhere(letter):
    """The lines of EVERYWHERE for the keys of one letter."""
    return EVERYWHERE.replace("KEY", letter)


FAMILIES = {
    "hash": HASH + everywhere("h"),
    "list": LIST + everywhere("l"),
    "set": SET + everywhere("t"),
    "zset": ZSET + everywhere("z"),
    "geo": GEO + everywhere("g"),
    "stream": STREAM + everywhere("r"),
}

# Commands whose payloads of DUMP are given to RESTORE: values of every type, in each form that it has.
MANY = [b"%d" % number for number in range(600)]
VALUES = [
    [b"RPUSH", b"a", b"1", b"two words", b"\x00\xff\r\n"],
    [b"RPUSH", *MANY],
    [b"RPUSH", b"x" * 9000, b"-1", b"y" * 9000],
    [b"SADD", b"1", b"2", b"300"],
    [b"SADD", b"-9223372036854775808", b"70000"],
    [b"SADD", b"a", b"1", b""],
    [b"SADD", *MANY],
    [b"HSET", b"f1", b"1", b"f2", b"two words", b"", b""],
    [b"HSET", b"f1", b"x" * 70],
    [b"HSET", *MANY],
    [b"ZADD", b"1", b"m1", b"-2.5", b"m2", b"inf", b"3"],
    [b"ZADD", b"1e20", b"x" * 70],
    [b"ZADD", *MANY],
    [b"XADD", b"1-1", b"f1", b"1", b"f2", b"two words"],
    [b"XADD", b"5-0", *MANY],
    [b"GEOADD", b"13.361389", b"38.115556", b"Palermo", b"15.087269", b"37.502669", b"Catania"],
]

# Where collections change their form, and what tests like to set.
THRESHOLDS = {
    b"hash-max-listpack-entries": (b"128", b"128", b"0", b"1", b"4", b"512"),
    b"hash-max-listpack-value": (b"64", b"64", b"0", b"5", b"70"),
    b"hash-max-ziplist-entries": (b"128", b"3"),
    b"list-max-listpack-size": (b"-2", b"-2", b"-1", b"-5", b"0", b"1", b"3", b"10", b"-6", b"70000"),
    b"list-max-ziplist-size": (b"-2", b"4"),
    b"set-max-intset-entries": (b"512", b"512", b"0", b"1", b"4"),
    b"stream-node-max-bytes": (b"4096", b"4096", b"0", b"40", b"200"),
    b"stream-node-max-entries": (b"100", b"100", b"0", b"1", b"3"),
    b"zset-max-listpack-entries": (b"128", b"128", b"0", b"1", b"4"),
    b"zset-max-listpack-value": (b"64", b"64", b"0", b"5", b"70"),
    b"zset-max-ziplist-value": (b"64", b"3"),
}
