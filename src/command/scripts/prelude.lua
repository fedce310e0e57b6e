-- What scripts find in the machine, made of what Lua 5.1 brings: no table of it can be changed, and
-- nothing shows an address, a clock or how much memory there is. `host` is what Rust brings
-- (vm.rs, api.rs); what is returned is used there.
local host = ...
local G = _G
local error, next, pairs, pcall, rawget, rawset, select, setmetatable, getmetatable, type, unpack, xpcall =
    error, next, pairs, pcall, rawget, rawset, select, setmetatable, getmetatable, type, unpack, xpcall
local tostring, loadstring, format, concat = tostring, loadstring, string.format, table.concat
local caught, charge, readonly = host.caught, host.charge, 'Attempt to modify a readonly table'

-- Tables that cannot be changed: what scripts see is empty, and looks here for what it has.
local behind = setmetatable({}, { __mode = 'k' })
local function protect(real, names)
    local seen = setmetatable({}, {
        __index = names or real,
        __newindex = function() error(readonly, 2) end,
    })
    behind[seen] = real
    return seen
end
local function copy(real)
    local out = {}
    for key, value in next, real do out[key] = value end
    return out
end

-- Numbers in the place of addresses, in the order in which they are asked for.
local used, shown, shown_count = false, nil, 0

function G.tostring(value)
    local kind = type(value)
    if kind ~= 'table' and kind ~= 'function' and kind ~= 'thread' and kind ~= 'userdata' then
        return tostring(value)
    end
    local meta = getmetatable(value)
    if (meta and meta.__tostring) or value == host.null then return tostring(value) end
    shown, used = shown or {}, true
    if not shown[value] then
        shown_count = shown_count + 1
        shown[value] = format('%s: 0x%014x', kind, shown_count)
    end
    return shown[value]
end

function G.rawset(t, key, value)
    if behind[t] then error(readonly, 0) end
    return rawset(t, key, value)
end
function G.rawget(t, key) return rawget(behind[t] or t, key) end
function G.setmetatable(t, meta)
    if behind[t] then error(readonly, 0) end
    return setmetatable(t, meta)
end
local seen_string = protect(string)
local env, seen_of_env
local of_strings = protect({ __index = seen_string })
function G.getmetatable(value)
    if type(value) == 'string' then return of_strings end
    if value == env then return seen_of_env end
    if behind[value] then return nil end
    return getmetatable(value)
end

-- What walks a table without an instruction of its own costs as many as it has elements.
local insert, remove, sort, maxn, foreachi, getn =
    table.insert, table.remove, table.sort, table.maxn, table.foreachi, table.getn
local few = 100
local function pay(t, times)
    if type(t) == 'table' then
        local count = #t
        if count > few then charge(count * times) end
    end
end
local function bad(at, name, expected, given, value)
    local kind = given and type(value) or 'no value'
    error('bad argument #' .. at .. " to '" .. name .. "' (" .. expected .. ' expected, got ' .. kind .. ')', 3)
end
function table.insert(...)
    local count, t, at = select('#', ...), ...
    if type(t) ~= 'table' then bad(1, 'insert', 'table', count > 0, t) end
    if behind[t] then error(readonly, 0) end
    if count == 3 then
        if not tonumber(at) then bad(2, 'insert', 'number', true, at) end
        pay(t, 0.1)
    elseif count ~= 2 then
        error("wrong number of arguments to 'insert'", 2)
    end
    return insert(...)
end
function table.remove(...)
    local count, t, at = select('#', ...), ...
    if type(t) ~= 'table' then bad(1, 'remove', 'table', count > 0, t) end
    if at ~= nil then
        if not tonumber(at) then bad(2, 'remove', 'number', true, at) end
        pay(t, 0.1)
    end
    return remove(...)
end
function table.sort(...)
    local count, t, before = select('#', ...), ...
    if type(t) ~= 'table' then bad(1, 'sort', 'table', count > 0, t) end
    if before ~= nil and type(before) ~= 'function' then bad(2, 'sort', 'function', true, before) end
    pay(t, 20)
    return sort(...)
end
function table.maxn(t)
    pay(t, 1)
    return maxn(t)
end
function table.foreachi(t, ...)
    pay(t, 1)
    return foreachi(t, ...)
end

-- Searches and repetitions count their steps.
for name, f in next, host.string do string[name] = f end
local gsub, texts_of_gsub, next_piece, sub = string.gsub, string.walk, string.next_piece, string.sub
string.walk, string.next_piece = nil, nil
function string.gsub(...)
    local text, pattern, replacement, most = ...
    local kind = type(replacement)
    if kind ~= 'function' and kind ~= 'table' then
        local outcome, count = gsub(...)
        return outcome, count
    end
    local gsub = texts_of_gsub -- as errors call it
    text, pattern, most = gsub(text, pattern, replacement, most)
    local pieces, len, count, at, kept = {}, 0, 0, 0, 0
    local function take(next_at, next_kept, before, whole, ...)
        at, kept = next_at, next_kept
        len = len + 1
        pieces[len] = before
        if not whole then return false end
        count = count + 1
        local value
        if kind == 'table' then value = replacement[(...)] else value = replacement(...) end
        if not value then
            value = whole
        elseif type(value) ~= 'string' and type(value) ~= 'number' then
            error('invalid replacement value (a ' .. type(value) .. ')', 3)
        end
        len = len + 1
        pieces[len] = value
        return true
    end
    while count < most and at <= #text do
        if not take(next_piece(text, pattern, at, kept)) then return concat(pieces), count end
    end
    pieces[len + 1] = sub(text, kept + 1)
    return concat(pieces), count
end

local floor = math.floor
local function whole(value, at, name)
    local number = tonumber(value)
    if number == nil then
        local kind = value == nil and 'no value' or type(value)
        error("bad argument #" .. at .. " to '" .. name .. "' (number expected, got " .. kind .. ')', 3)
    end
    return number < 0 and -floor(-number) or floor(number)
end

-- Lua 5.1's own overflows when it counts, and then writes behind its stack. It takes integers of 32 bits.
local few_results = 8000 -- of its arguments and what it returns
local function short(value, at)
    local number = tonumber(value)
    if number == nil then
        error("bad argument #" .. at .. " to 'unpack' (number expected, got " .. type(value) .. ')', 3)
    end
    number = (number < 0 and -floor(-number) or floor(number)) % 2 ^ 32
    if number ~= number then return 0 end
    return number >= 2 ^ 31 and number - 2 ^ 32 or number
end
function G.unpack(...)
    local count, t, from, to = select('#', ...), ...
    if type(t) ~= 'table' then
        error("bad argument #1 to 'unpack' (table expected, got " .. (t == nil and 'no value' or type(t)) .. ')', 2)
    end
    local first = from == nil and 1 or short(from, 2)
    local last = to == nil and #t or short(to, 3)
    if first > last then return end
    if last - first >= few_results - count then error('too many results to unpack', 2) end
    if count == 1 then return unpack(t) end
    if count == 2 then return unpack(t, first) end
    return unpack(t, first, last)
end

-- The order of keys that are tables or functions is that of their addresses, which replicas do not
-- share: who walks a table gets its keys as they were at the beginning, and none of that kind.
local no_order = { table = true, ['function'] = true, thread = true }
local function keys_of(t)
    local keys, count = {}, 0
    for key in next, behind[t] or t do
        if no_order[type(key)] then
            error('a table with a ' .. type(key) .. ' as key cannot be walked: replicas would not agree on the order', 0)
        end
        count = count + 1
        keys[count] = key
    end
    return keys
end
host.keys_of = keys_of

function G.pairs(t)
    if type(t) ~= 'table' then
        error("bad argument #1 to 'pairs' (table expected, got " .. (t == nil and 'nil' or type(t)) .. ')', 2)
    end
    local keys, at, real = keys_of(t), 0, behind[t] or t
    return function()
        while true do
            at = at + 1
            local key = keys[at]
            if key == nil then return nil end
            local value = rawget(real, key)
            if value ~= nil then return key, value end
        end
    end, t, nil
end

local walks
function G.next(t, key)
    if type(t) ~= 'table' then
        error("bad argument #1 to 'next' (table expected, got " .. (t == nil and 'nil' or type(t)) .. ')', 2)
    end
    walks, used = walks or {}, true
    local walk, real = walks[t], behind[t] or t
    if key == nil or not walk or not walk.places[key] then
        if key == nil and next(real) == nil then return nil end
        walk = { keys = keys_of(t), places = {} }
        for place = 1, #walk.keys do walk.places[walk.keys[place]] = place end
        walks[t] = walk
    end
    local place = 0
    if key ~= nil then
        place = walk.places[key]
        if not place then error('invalid key to \'next\'', 0) end
    end
    while true do
        place = place + 1
        key = walk.keys[place]
        if key == nil then return nil end
        local value = rawget(real, key)
        if value ~= nil then return key, value end
    end
end

function table.foreach(t, f)
    for key, value in G.pairs(t) do
        local outcome = f(key, value)
        if outcome ~= nil then return outcome end
    end
end

-- An error that ends the script cannot be caught, and others are caught as Redis does it.
local function settle(ok, e, ...)
    if ok then return true, e, ... end
    e = caught(e)
    if type(e) == 'table' then
        local text = e.err
        if type(text) == 'string' or type(text) == 'number' then e = text end
    end
    return false, e
end
function G.pcall(...) return settle(pcall(...)) end
local function settle_as_is(ok, ...)
    if ok then return true, ... end
    return false, caught((...))
end
function G.xpcall(f, handler)
    return settle_as_is(xpcall(f, function(e) return handler(caught(e)) end))
end
-- Each one that runs within another takes of the stack of the process.
local resume, create, depth, most_depth = coroutine.resume, coroutine.create, 0, 100
local function resumed(ok, ...)
    depth = depth - 1
    return ok, ...
end
local function go_on(...)
    if depth == most_depth then return false, 'C stack overflow' end
    depth, used = depth + 1, true
    return resumed(resume(...))
end
function coroutine.resume(...) return settle_as_is(go_on(...)) end
function coroutine.create(f)
    if type(f) ~= 'function' then error("bad argument #1 to 'create' (Lua function expected)", 2) end
    charge(500)
    return create(f)
end
local function unwrapped(ok, ...)
    if ok then return ... end
    local e = caught((...))
    error(e, type(e) == 'string' and 3 or 0)
end
function coroutine.wrap(f)
    if type(f) ~= 'function' then error("bad argument #1 to 'wrap' (Lua function expected)", 2) end
    charge(500)
    local thread = create(f)
    return function(...) return unwrapped(go_on(thread, ...)) end
end

-- Text only.
function G.loadstring(text, name)
    if type(text) == 'string' and text:byte(1) == 27 then
        return nil, 'attempt to load chunk with wrong mode'
    end
    if type(text) == 'string' then charge(#text) end
    return loadstring(text, name)
end
function G.load(more, name)
    local pieces = {}
    while true do
        local piece = more()
        if piece == nil or piece == '' then break end
        if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
        pieces[#pieces + 1] = piece
    end
    return G.loadstring(concat(pieces), name or '=(load)')
end

function G.collectgarbage() return 0 end
function G.gcinfo() return 0 end
for _, name in next, { 'dofile', 'loadfile', 'print', 'newproxy', 'setfenv', 'getfenv', 'module', 'require' } do
    G[name] = nil
end

-- math.random is Redis's own: the same numbers everywhere after the same seed.
local random = host.random
function math.random(...)
    local count, low, high = select('#', ...), ...
    local r = random()
    if count == 0 then return r end
    if count > 2 then error('wrong number of arguments', 2) end
    low = whole(low, 1, 'random')
    if count == 1 then low, high = 1, low else high = whole(high, 2, 'random') end
    if low > high then
        error("bad argument #" .. count .. " to 'random' (interval is empty)", 2)
    end
    return floor(r * (high - low + 1)) + low
end
function math.randomseed(seed) host.randomseed(whole(seed, 1, 'randomseed')) end

-- The names that scripts see; others are errors.
local function strict(names)
    return setmetatable(names, {
        __index = function(_, name)
            if type(name) ~= 'string' and type(name) ~= 'number' then
                error('Second argument to luaProtectedTableError must be a string or number', 2)
            end
            error("Script attempted to access nonexistent global variable '" .. name .. "'", 2)
        end,
    })
end

local redis = host.redis
local library_redis = {}
for _, name in next, { 'log', 'LOG_DEBUG', 'LOG_VERBOSE', 'LOG_NOTICE', 'LOG_WARNING', 'REDIS_VERSION', 'REDIS_VERSION_NUM' } do
    library_redis[name] = redis[name]
end
library_redis.register_function = host.register_function

local globals = copy(G)
for _, name in next, { 'table', 'math', 'coroutine' } do globals[name] = protect(G[name]) end
globals.string = seen_string
for name, library in next, host.libraries do globals[name] = protect(library) end
globals.redis = protect(redis)
function globals.__redis__err__handler(e) return host.handler(e) end
env = setmetatable({}, {})
local meta = getmetatable(env)
behind[env] = globals
globals._G = env
strict(globals)
seen_of_env = protect(getmetatable(globals))
meta.__index = globals
meta.__newindex = function() error(readonly, 2) end
-- Functions of libraries have no debugger.
local redis_of_functions = {}
for name, value in next, redis do
    if name ~= 'breakpoint' and name ~= 'debug' and name ~= 'replicate_commands' then redis_of_functions[name] = value end
end
local function_globals = copy(globals)
function_globals.redis = protect(redis_of_functions)
strict(function_globals)
-- What the code of a library sees while it is loaded.
local loading = strict({ redis = protect(strict(library_redis)) })

local handler, code = host.handler, host.code
-- What one script has left: nothing of it may be seen by the next.
local function forget()
    used, shown, shown_count, walks, depth = false, nil, 0, nil, 0
end
-- The first value of a script, and whether it is the status that most commands answer: Rust need not look into it then,
-- nor into what nobody hears.
local function run_tables(at, is_heard, keys, args)
    if used then forget() end
    globals.KEYS, globals.ARGV = keys, args
    local ok, value = xpcall(code[at], handler)
    if ok and not is_heard then return ok, nil, true end
    if type(value) == 'table' and rawget(value, 'ok') == 'OK' and rawget(value, 'err') == nil then
        return ok, nil, true
    end
    return ok, value, false
end
-- Of a key and an argument, as most scripts have them.
local function run_pair(at, is_heard, key, arg)
    if used then forget() end
    globals.KEYS, globals.ARGV = { key }, { arg }
    local ok, value = xpcall(code[at], handler)
    if ok and not is_heard then return ok, nil, true end
    if type(value) == 'table' and rawget(value, 'ok') == 'OK' and rawget(value, 'err') == nil then
        return ok, nil, true
    end
    return ok, value, false
end
-- Tables grow by one word after the other, as Redis fills them: where a table with holes ends follows from that.
local function run(at, is_heard, keys_count, args_count, ...)
    local words, keys, args = { ... }, {}, {}
    for place = 1, keys_count do keys[place] = words[place] end
    for place = 1, args_count do args[place] = words[keys_count + place] end
    return run_tables(at, is_heard, keys, args)
end
-- Runs a library's code; what it registers is told to `host`.
local function load(at)
    if used then forget() end
    meta.__index = loading
    local ok, value = pcall(code[at])
    meta.__index = globals
    return ok, value
end
local function run_function(f, keys, args)
    if used then forget() end
    meta.__index = function_globals
    local ok, value = xpcall(function() return f(keys, args) end, handler)
    meta.__index = globals
    return ok, value, false
end
return env, run, run_pair, run_tables, load, run_function
