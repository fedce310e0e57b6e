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
local shown, shown_count = {}, 0

function G.tostring(value)
    local kind = type(value)
    if kind ~= 'table' and kind ~= 'function' and kind ~= 'thread' and kind ~= 'userdata' then
        return tostring(value)
    end
    local meta = getmetatable(value)
    if (meta and meta.__tostring) or value == host.null then return tostring(value) end
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
local of_strings = protect({ __index = protect(string) })
function G.getmetatable(value)
    if type(value) == 'string' then return of_strings end
    if behind[value] then return nil end
    return getmetatable(value)
end
local insert = table.insert
function table.insert(t, ...)
    if behind[t] then error(readonly, 0) end
    return insert(t, ...)
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

local walks = {}
function G.next(t, key)
    if type(t) ~= 'table' then
        error("bad argument #1 to 'next' (table expected, got " .. (t == nil and 'nil' or type(t)) .. ')', 2)
    end
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
local resume, create, wrap = coroutine.resume, coroutine.create, coroutine.wrap
function coroutine.resume(...) return settle_as_is(resume(...)) end
function coroutine.create(f)
    charge()
    return create(f)
end
function coroutine.wrap(f)
    charge()
    return wrap(f)
end

-- Text only.
function G.loadstring(text, name)
    if type(text) == 'string' and text:byte(1) == 27 then
        return nil, 'attempt to load chunk with wrong mode'
    end
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
string.dump = nil

-- math.random is Redis's own: the same numbers everywhere after the same seed.
local random, floor = host.random, math.floor
local function whole(value, at, name)
    local number = tonumber(value)
    if number == nil then
        local kind = value == nil and 'no value' or type(value)
        error("bad argument #" .. at .. " to '" .. name .. "' (number expected, got " .. kind .. ')', 3)
    end
    return number < 0 and -floor(-number) or floor(number)
end
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
for _, name in next, { 'string', 'table', 'math', 'coroutine' } do globals[name] = protect(G[name]) end
for name, library in next, host.libraries do globals[name] = protect(library) end
globals.redis = protect(redis)
function globals.__redis__err__handler(e) return host.handler(e) end
local env = setmetatable({}, {})
local meta = getmetatable(env)
behind[env] = globals
globals._G = env
strict(globals)
meta.__index = globals
meta.__newindex = function() error(readonly, 2) end
-- What the code of a library sees while it is loaded.
local loading = strict({ redis = protect(strict(library_redis)) })

local handler = host.handler
local function forget()
    shown, shown_count, walks = {}, 0, {}
    rawset(globals, 'KEYS', nil)
    rawset(globals, 'ARGV', nil)
    meta.__index = globals
end
local function finish(...)
    forget()
    return ...
end
local function run(f, keys, args)
    rawset(globals, 'KEYS', keys)
    rawset(globals, 'ARGV', args)
    return finish(xpcall(f, handler))
end
-- Runs a library's code; what it registers is told to `host`.
local function load(f)
    meta.__index = loading
    return finish(pcall(f))
end
local function run_function(f, keys, args)
    return finish(xpcall(function() return f(keys, args) end, handler))
end
return env, run, load, run_function
