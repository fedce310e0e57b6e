"""Scripts for difffuzz.py: small ones, drawn like commands, over all types and all libraries of Lua's."""

import hashlib
import re

# What scripts are asked with. `script` and its like are methods of Scripts below.
FAMILIES = {
    "scripts": r"""
        6 EVAL script 2 any any value value
        3 EVAL caller 1 any +value
        3 EVAL_RO reader 2 any any value
        EVAL_RO caller 1 any value
        2 EVAL script (0|1|3|-1|value) any any any value
        EVAL script value
        2 EVALSHA sha 2 any any value value
        EVALSHA_RO sha 1 any value
        EVALSHA value 0
        2 SCRIPT LOAD script
        SCRIPT EXISTS +sha
        SCRIPT FLUSH ?(SYNC|ASYNC|value)
        SCRIPT (KILL|NOSUCH|LOAD|EXISTS) ?(NO|value)
        3 FUNCTION LOAD ?REPLACE library
        5 FCALL function 2 any any value value
        2 FCALL_RO function 1 any value
        FCALL function (0|1|-1|value) ?any
        FUNCTION DELETE (lib1|lib2|value)
        FUNCTION LIST ?WITHCODE ?(LIBRARYNAME (lib1|lib*|value))
        FUNCTION FLUSH ?(SYNC|ASYNC|value)
        FUNCTION (STATS|KILL|DUMP|NOSUCH|RESTORE) ?value
        2 SET s value
        RPUSH l +value
        HSET h +(field value)
        SADD t +member
        ZADD z +(score member)
    """
}

# What a script may not ask of a server that replicates it, or where two right servers answer differently:
# docs/differences.md, "Scripts".
NOT_INSIDE = re.compile(
    "RANDOMKEY|SETBIT|.RANDMEMBER|HRANDFIELD|SPOP|S?PUBLISH|MEMORY|OBJECT|CONFIG|CLIENT|HELLO|AUTH|ACL|SLOWLOG|LATENCY|"
    "PUBSUB|COMMAND|DEBUG|P?TTL|P?EXPIRETIME|DUMP|SWAPDB|MOVE|.SCAN|SCAN|SORT|SORT_RO|HGETALL|BITFIELD|RESET|"
    "EVAL|EVALSHA|PFCOUNT|S?SUBSCRIBE|QUIT"
)
# Families whose commands they do not call.
NOT_CALLED = {"scripts", "multi", "databases", "server"}
IN_ORDER = "if type(r)=='table' and not r.err then if r.set then r=0 else table.sort(r) end end"
SORTED = {b"KEYS", b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"HKEYS", b"HVALS"}

# Values of Lua's, where VALUE is another one.
ATOMS = """
    nil|true|false|0|1|-1|3.7|-2.5|1e15|1e100|123456789012|-0|1/0|-1/0|0/0|2^53|2^63
    ''|'abc'|'12'|'-3.5'|'\\0\\255'|'two words'|'\\r\\n'|'x\\ny'|('x'):rep(70)
    KEYS[1]|KEYS[2]|KEYS[3]|ARGV[1]|ARGV[2]|#KEYS|#ARGV|ARGV[#ARGV]
    cjson.null|redis.REPL_ALL|redis.LOG_WARNING|redis.REDIS_VERSION|redis.REDIS_VERSION_NUM
"""
COMPOUNDS = r"""
    {VALUE}|{VALUE,VALUE}|{VALUE,VALUE,VALUE}|{{VALUE},{VALUE,VALUE}}|{}|{a=VALUE}|{1,nil,VALUE}
    {ok=VALUE}|{err=VALUE}|{ok='fine'}|{err='ERR my own'}|{err='word'}|{err='-WORD two'}|{err='\r\nx'}
    {double=VALUE}|{double=3.25}|{double=1/0}|{map={a=VALUE}}|{map={a=1,b=2,c={3}}}|{set={a=true}}|{set={x=true,y=1}}
    {big_number='123456789012345678901'}|{big_number=#VALUE}|{big_number='1\n2'}
    {verbatim_string={string='text',format='txt'}}
    {verbatim_string={string=VALUE,format='markdown'}}|redis.status_reply(VALUE)|redis.error_reply(VALUE)
    redis.error_reply('My Err')|redis.status_reply('FINE')|redis.sha1hex(VALUE)|redis.sha1hex()
    tostring(VALUE)|tonumber(VALUE)|tonumber('10',VALUE)|type(VALUE)|#VALUE|-VALUE|not VALUE
    VALUE==VALUE|VALUE<VALUE|VALUE..VALUE|VALUE+VALUE|VALUE*VALUE|VALUE%VALUE|VALUE/VALUE|VALUE^VALUE
    {pcall(function() return VALUE end)}|{pcall(error,VALUE)}|{pcall(error)}|{pcall(redis.call,VALUE)}
    select('#',VALUE,VALUE)
    redis.pcall(VALUE)|redis.call(VALUE,VALUE)|redis.pcall('GET')|redis.call('nosuch')|redis.pcall('SUBSCRIBE','x')
    cjson.encode(VALUE)|cjson.decode(VALUE)|cjson.decode(cjson.encode(VALUE))
    cjson.decode('{"a":[1,2.5,null,true,"\\u00e9"]}')
    cjson.decode('[1,')|cjson.decode('{"a":}')|cjson.decode('"\\x"')|cjson.encode({[1]=1,[5]=2})
    cjson.encode({[1000]=1})
    cjson.encode({a={b={}}})|cjson.decode('[]')|cjson.decode('nul')|cjson.decode('1e5')|cjson.decode('-')
    cmsgpack.pack(VALUE)|cmsgpack.pack(VALUE,VALUE)|{cmsgpack.unpack(cmsgpack.pack(VALUE,VALUE))}
    {cmsgpack.unpack(VALUE)}
    {cmsgpack.unpack('\147\1\162ab\192')}|{cmsgpack.unpack_one(cmsgpack.pack(VALUE))}
    {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),VALUE)}
    {cmsgpack.unpack('\222')}|{cmsgpack.unpack_one('abc',VALUE)}|cmsgpack.pack()
    struct.pack('FORMAT',VALUE,VALUE)|{struct.unpack('FORMAT',struct.pack('FORMAT',1,2))}|struct.size('FORMAT')
    {struct.unpack('FORMAT',VALUE)}
    bit.band(VALUE,VALUE)|bit.bor(VALUE,VALUE,VALUE)|bit.bxor(VALUE,1)|bit.bnot(VALUE)|bit.lshift(VALUE,VALUE)
    bit.rshift(VALUE,3)|bit.arshift(VALUE,VALUE)|bit.rol(VALUE,5)|bit.ror(VALUE,VALUE)|bit.bswap(VALUE)
    bit.tohex(VALUE,VALUE)|bit.tobit(VALUE)
    string.format('%d %s %5.2f %q',VALUE,VALUE,VALUE,VALUE)|string.format('%s/%10s/%-5s/',VALUE,VALUE,VALUE)
    string.format(VALUE,VALUE)
    ('abc'):sub(VALUE,VALUE)|('a,b,c'):gsub(',',' '..tostring(VALUE)..' ')|{('key=val'):match('(%w+)=(%w+)')}|('abc'):rep(#VALUE)
    ('abc'):byte(1,-1)|string.char(VALUE)
    table.concat({VALUE,VALUE},',')|unpack({VALUE,VALUE})|{unpack({1,2,3},VALUE)}|math.floor(VALUE)
    math.max(VALUE,VALUE)|math.huge|math.pi
    nosuch|nosuch.field|redis.nosuch|KEYS.x|VALUE.x|VALUE()|os.clock|os.time|io|require|print|loadfile|dofile
    _G.x|string.nosuch
    redis.setresp(VALUE)|redis.log(VALUE,VALUE)|redis.log(redis.LOG_DEBUG,'x')|redis.set_repl(VALUE)
    redis.breakpoint()|redis.replicate_commands()
    redis.acl_check_cmd('SET','x',VALUE)|redis.acl_check_cmd(VALUE)|loadstring('return '..tostring(VALUE))()
    rawget(KEYS,1)|next({VALUE})
"""
# No error is a table without `err`: redis-server crashes.
STATEMENTS = r"""
    x=1|KEYS[1]=ARGV[1]; redis.call('SET',KEYS[1],'v')|redis=nil|error(tostring(VALUE))|error('mine',0)
    error({err='ERR mine'})|error({err=tostring(VALUE)})|error({err=1e15})|error({err=12})
    for i=1,3 do redis.call('RPUSH',KEYS[1],i) end|if VALUE then return VALUE end|redis.call('SELECT',VALUE)
    redis.setresp(3)
    string.x=1|table.insert(ARGV,VALUE)|setmetatable(_G,{})|rawset(_G,'x',1)
    local t={}; t[VALUE]=VALUE; return t|return|@@syntax
    local ok,e=pcall(redis.call,'INCR',KEYS[1]); if not ok then return {type(e),tostring(e),e} end|assert(VALUE)
    assert(false,tostring(VALUE))
    local e=redis.pcall('INCR',KEYS[1]); return {e.err,e.ok,e.source,e.line,e.ignore_error_stats_update}
    CALL|CALL|CALL|CALL|local r=CALL|return CALL|return CALL|return CALL|return {CALL,CALL}
    return {pcall(function() return CALL end)}
    local r=redis.pcall('NOSUCH'); return r.err
    return {xpcall(function() error('x') end,function(e) return e..'!' end)}
    local f=loadstring('x y'); return f|local co=coroutine.wrap(function() coroutine.yield(VALUE) end); return co()
"""
FORMATS = ("b B h H l L i I4 i2 >I2<I2 f d s c3 c0 >!4bi4 xb I9 z I0 bb hs i3i3 <d>f !b !16d BI8").split()
FLAGS = ("", " flags=no-writes", " flags=allow-stale,allow-oom", " flags=no-cluster", " flags=nosuch", " name=x", "x")


def alternatives(text):
    return [part.strip() for part in re.split(r"[|\n]", text) if part.strip()]


ATOMS, COMPOUNDS, STATEMENTS = map(alternatives, (ATOMS, COMPOUNDS, STATEMENTS))


def quoted(word):
    """As a string of Lua's."""
    plain = b"".join(b"%c" % byte if chr(byte).isalnum() and byte < 128 else b"\\%03d" % byte for byte in word)
    return b"'" + plain + b"'"


class Scripts:
    """The part of the Generator that draws scripts."""

    def _lua(self, depth=2):
        """An expression."""
        if depth == 0 or self.rng.random() < 0.4:
            return self.rng.choice(ATOMS)
        return self._filled(self.rng.choice(COMPOUNDS), depth - 1)

    def _filled(self, text, depth):
        text = re.sub("VALUE", lambda _: self._operand(depth), text)
        text = re.sub("CALL", lambda _: self._call(), text)
        return re.sub("FORMAT", lambda _: self.rng.choice(FORMATS), text)

    def _operand(self, depth):
        value = self._lua(depth)
        return value if re.fullmatch(r"[\w.'\[\]]*", value) else f"({value})"

    def _call(self):
        """A call of a command that some other family sends."""
        args = self._other_command()
        while NOT_INSIDE.fullmatch(args[0].decode(errors="replace").upper()) or b"GET" in args[1:2]:
            args = self._other_command()
        words = b",".join(map(quoted, args)).decode()
        call = f"redis.{self.rng.choice(('call', 'call', 'pcall'))}({words})"
        if args[0].upper() not in SORTED:
            return call
        return f"(function() local r={call}; {IN_ORDER} return r end)()"

    def _other_command(self):
        while True:
            args = self._any_command()
            if args.family not in NOT_CALLED:
                return args

    def _body(self):
        count = self.rng.choice((0, 0, 1, 1, 2))
        statements = [self._filled(self.rng.choice(STATEMENTS), 2) for _ in range(count)]
        if not any(re.search(r"^return", statement) for statement in statements):
            statements.append(f"return {self._lua(3)}")
        *first, last = statements
        # Only the last statement of a block may return.
        return " ".join(f"do {one} end" if one.startswith("return") else one for one in first) + "\n" + last

    def script(self):
        begin = f"#!lua{self.rng.choice(FLAGS)}\n" if self.rng.random() < 0.15 else ""
        text = (begin + self._body()).encode()
        self.scripts.append(text)
        return text

    def caller(self):
        return f"return {self._call()}".encode()

    def reader(self):
        return f"return {self._filled(self.rng.choice(COMPOUNDS), 2)}".encode()

    def sha(self):
        """Of a script that was sent, mostly."""
        name = hashlib.sha1(self.rng.choice(self.scripts or [b"return 1"])).hexdigest().encode()
        return name.upper() if self.rng.random() < 0.1 else name

    def function(self):
        return self.rng.choice((b"f1", b"f2", b"f3", b"F1", b"nosuch"))

    def library(self):
        """The code of one or two functions."""
        name = self.rng.choice(("lib1", "lib2", "lib1", "bad-name", ""))
        begin = f"#!lua name={name}"
        if self.rng.random() < 0.2:
            begin = self.rng.choice(("#!lua", f"#!js name={name}", "", f"{begin} x=1", f"{begin} name=y"))
        functions = [self._registered() for _ in range(self.rng.choice((1, 1, 2, 0)))]
        return "\n".join([begin, "local K=1", *functions]).encode()

    def _registered(self):
        name = self.rng.choice(("f1", "f2", "f3", "f1", "f 4"))
        body = self._body().replace("KEYS", "keys").replace("ARGV", "args")
        flags = self.rng.choice(("'no-writes'", "'no-writes'", "'allow-stale'", "'nosuch'", ""))
        if self.rng.random() < 0.5:
            return f"redis.register_function('{name}', function(keys, args) {body} end)"
        named = f"function_name='{name}', callback=function(keys, args) {body} end, flags={{{flags}}}"
        return f"redis.register_function{{{named}}}"
