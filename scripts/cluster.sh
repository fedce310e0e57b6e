#!/usr/bin/env bash
# Starts, watches, disturbs and stops a bowline cluster on this machine. Needs nothing but
# bash and the Linux /proc; signals go only to processes that it started itself.
set -euo pipefail
export LC_ALL=C

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
STATE=${BOWLINE_CLUSTER_DIR:-$ROOT/.cluster}
HOST=127.0.0.1
PEER_OFFSET=10000
MAX_NODES=99

usage() {
    cat <<'TEXT'
usage: scripts/cluster.sh COMMAND

  start [N] [--port BASE] [--release|--debug] [FLAG...]
                   start N nodes (3) on ports BASE, BASE+1, ... (6379; 0: any free ones) and
                   wait for a leader. A cluster that was stopped goes on with its data. Other
                   flags go to every node: --storage sled, --timing demo, --verbose, ...
  status           a table of the nodes
  stop             stop all nodes; their data stays
  kill ID          kill a node at once, as a crash would (SIGKILL)
  pause ID         freeze a node (SIGSTOP)
  resume ID        let a frozen node go on (SIGCONT)
  restart ID       start a node again, with its data; stop it first if it runs
  add [FLAG...]    start one more node, which joins the cluster
  remove ID        remove a node from the cluster; its id is never used again
  replace ID       start a new node, which takes the place of a node that is lost
  logs ID [-f]     the end of a node's log; -f: follow it
  addr ID          print a node's client address
  pid ID           print a node's process id; fails when it does not run
  leader           print the leader's id; fails when there is none
  clean            stop all nodes and delete everything about the cluster
  help             this text

environment:
  BOWLINE_CLUSTER_DIR   where data, logs and process ids are kept (.cluster of the project);
                        with different directories and ports, several clusters can coexist
  BOWLINE_BIN           the bowline to run, instead of building one
  BOWLINE_REQUIREPASS   the password of a new cluster, and how this script talks to it later
TEXT
}

die() {
    printf 'cluster.sh: %s\n' "$*" >&2
    exit 1
}

# -- What is known of the cluster -------------------------------------------------------

# Sets BASE, COUNT, BIN and FOUNDERS (nodes from 1 that the cluster was started with) from the
# state directory.
load() {
    [[ -f $STATE/cluster ]] || die "there is no cluster in $STATE: start one with: scripts/cluster.sh start"
    {
        read -r BASE
        read -r COUNT
        IFS= read -r BIN
        read -r FOUNDERS || FOUNDERS=$COUNT
    } <"$STATE/cluster"
}

save() { printf '%s\n' "$BASE" "$COUNT" "$BIN" "$FOUNDERS" >"$STATE/cluster"; }

node_port() { echo $((BASE + $1 - 1)); }
node_addr() { echo "$HOST:$(node_port "$1")"; }
is_removed() { [[ -f $STATE/n$1/removed ]]; }

need_id() {
    [[ -n ${1-} ]] || die "say which node: an id from 1 to $COUNT"
    [[ $1 =~ ^[1-9][0-9]{0,3}$ && $1 -le $COUNT ]] || die "there is no node $1: ids go from 1 to $COUNT"
}

# Fields of /proc/PID/stat after the command name (which may hold spaces): state is 0, start time 19.
proc_stat() {
    local line
    line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    echo "${line##*) }"
}

# Prints the pid of node $1, provided that it still is the process that was started: a pid
# alone could by now be somebody else's.
node_pid() {
    local pid started fields tasks
    [[ -f $STATE/n$1/pid ]] || return 1
    read -r pid started <"$STATE/n$1/pid" || return 1
    read -ra fields <<<"$(proc_stat "$pid")"
    # As long as another thread of it writes to the disk, a killed one has its sockets.
    tasks=(/proc/"$pid"/task/*)
    [[ ${fields[19]-} == "$started" && (${fields[0]} != Z || ${#tasks[@]} -gt 1) ]] || return 1
    echo "$pid"
}

# -- A RESP client, as small as it gets --------------------------------------------------

# Sends the words $2... to port $1 and prints a bulk, simple or integer reply; fails on errors.
# A reply that takes longer than RESP_PATIENCE seconds is one.
resp() {
    local port=$1 fd line size body word
    shift
    { exec {fd}<>"/dev/tcp/$HOST/$port"; } 2>/dev/null || return 1
    if [[ ${BOWLINE_REQUIREPASS-} ]]; then
        # Whether it was right shows in the reply to the words.
        printf '*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n' "${#BOWLINE_REQUIREPASS}" "$BOWLINE_REQUIREPASS" >&"$fd" || return 1
        IFS= read -r -t "${RESP_PATIENCE-2}" -u "$fd" line || return 1
    fi
    {
        printf '*%d\r\n' $#
        for word; do printf '$%d\r\n%s\r\n' "${#word}" "$word"; done
    } >&"$fd" || return 1
    IFS= read -r -t "${RESP_PATIENCE-2}" -u "$fd" line || return 1
    line=${line%$'\r'}
    case $line in
    '$-1') ;;
    '$'*)
        size=${line#?}
        IFS= read -r -N "$size" -t 2 -u "$fd" body || return 1
        printf '%s\n' "$body"
        ;;
    [+:]*) printf '%s\n' "${line#?}" ;;
    *)
        printf '%s\n' "${line#?}" >&2
        return 1
        ;;
    esac
}

# Fills the associative array INFO with the fields of node $1's INFO raft.
raft_info() {
    local text line
    INFO=()
    text=$(resp "$(node_port "$1")" INFO raft 2>/dev/null) || return 1
    while IFS= read -r line; do
        line=${line%$'\r'}
        [[ $line == raft_*:* ]] && INFO[${line%%:*}]=${line#*:}
    done <<<"$text"
    [[ -n ${INFO[raft_role]-} ]]
}
declare -A INFO=()

# -- Starting ---------------------------------------------------------------------------

port_taken() { (exec {fd}<>"/dev/tcp/$HOST/$1") 2>/dev/null; }

# Prints the first taken port of a cluster of $2 nodes from port $1.
taken_port() {
    local id port
    for ((id = 1; id <= $2; id++)); do
        for port in $(($1 + id - 1)) $(($1 + id - 1 + PEER_OFFSET)); do
            if port_taken "$port"; then
                echo "$port"
                return 0
            fi
        done
    done
    return 1
}

# Below the range from which the kernel takes ports for outgoing connections, with the peers' too.
free_base() {
    local try base
    for ((try = 0; try < 100; try++)); do
        base=$((10240 + RANDOM % 10000))
        if ! taken_port "$base" "$1" >/dev/null; then
            echo "$base"
            return 0
        fi
    done
    die "no $1 free ports in a row were found"
}

find_binary() {
    local profile=$1 target=${CARGO_TARGET_DIR:-$ROOT/target}
    if [[ -n ${BOWLINE_BIN-} ]]; then
        [[ -x $BOWLINE_BIN && ! -d $BOWLINE_BIN ]] || die "BOWLINE_BIN is $BOWLINE_BIN, which is no executable file"
        BIN=$(cd "$(dirname "$BOWLINE_BIN")" && pwd)/$(basename "$BOWLINE_BIN")
        return
    fi
    BIN=$target/$profile/bowline
    if command -v cargo >/dev/null; then
        local flags=()
        [[ $profile == release ]] && flags=(--release)
        (cd "$ROOT" && cargo build --quiet --bin bowline "${flags[@]}" >&2) || die "the build failed"
    fi
    [[ -x $BIN ]] || die "there is no $BIN, and no cargo to build it: install Rust, or set BOWLINE_BIN"
}

launch() {
    local id=$1 dir=$STATE/n$1 flags pid fields
    mapfile -t flags <"$dir/flags"
    # A session of its own: neither Ctrl-C nor the end of this terminal reaches the node.
    (cd "$dir" && exec setsid "$BIN" "${flags[@]}" >>log 2>&1 </dev/null) &
    pid=$!
    read -ra fields <<<"$(proc_stat "$pid")" || true
    echo "$pid ${fields[19]-0}" >"$dir/pid"
    disown "$pid" 2>/dev/null || true
}

show_log() {
    printf -- '--- the end of the log of node %s (%s)\n' "$1" "$STATE/n$1/log" >&2
    tail -n 15 "$STATE/n$1/log" >&2 || true
}

# Waits until each of the nodes $2... answers and knows a leader; at most $1 seconds.
await_leader() {
    local deadline=$((SECONDS + $1)) id waiting
    shift
    while :; do
        waiting=()
        for id; do
            if ! node_pid "$id" >/dev/null; then
                show_log "$id"
                die "node $id stopped while starting"
            fi
            raft_info "$id" && [[ ${INFO[raft_leader_id]-0} != 0 ]] || waiting+=("$id")
        done
        ((${#waiting[@]})) || return 0
        if ((SECONDS >= deadline)); then
            for id in "${waiting[@]}"; do show_log "$id"; done
            die "no leader after waiting; nodes without one: ${waiting[*]}"
        fi
        sleep 0.05
    done
}

patience_s() {
    case " $* " in
    *' --timing demo '* | *' --timing=demo '*) echo 180 ;;
    *' --timing debug '* | *' --timing=debug '*) echo 90 ;;
    *) echo 30 ;;
    esac
}

cmd_start() {
    local count='' base='' profile=release memory='' flags=()
    while (($#)); do
        case $1 in
        --port) base=${2-} && shift ;;
        --port=*) base=${1#*=} ;;
        --release | --debug) profile=${1#--} ;;
        --cluster | --cluster=* | --join | --join=* | --advertise | --advertise=* | --bind | --bind=* | --node-id | --node-id=* | --data-dir | --data-dir=* | \
            --peer-bind | --peer-bind=*)
            die "${1%%=*} is chosen by cluster.sh for each node; leave it out"
            ;;
        --requirepass | --requirepass=*)
            die "--requirepass would stand in a file and in the list of processes: set BOWLINE_REQUIREPASS instead"
            ;;
        -*) flags+=("$1") ;;
        *)
            # A word that follows a flag is the flag's value.
            if ((${#flags[@]} == 0)) && [[ -z $count ]]; then count=$1; else flags+=("$1"); fi
            ;;
        esac
        shift || die "--port needs a number"
    done
    [[ " ${flags[*]-} " == *' --storage memory '* || " ${flags[*]-} " == *' --storage=memory '* ]] && memory=yes
    [[ -z $count || ($count =~ ^[1-9][0-9]?$ && $count -le $MAX_NODES) ]] ||
        die "cannot start '$count' nodes: give a number from 1 to $MAX_NODES"
    [[ -z $base || $base =~ ^(0|[1-9][0-9]{0,4})$ ]] || die "'$base' is no port: give a number from 1 to 55535, or 0 for any"

    if [[ -f $STATE/cluster ]]; then
        load
        running_ids && die "a cluster of $COUNT is already there (running: ${RUNNING[*]}); stop it first: scripts/cluster.sh stop"
        [[ -z $count || $count == "$COUNT" ]] ||
            die "the stopped cluster in $STATE has $COUNT nodes, not $count: start it as it was, or delete it with: scripts/cluster.sh clean"
        count=$COUNT
        # Members know each other by these addresses; they stay.
        [[ -z $base || $base == "$BASE" ]] ||
            die "the stopped cluster in $STATE lives on ports from $BASE: leave out --port, or delete it with: scripts/cluster.sh clean"
        base=$BASE
    fi
    COUNT=${count:-3}
    FOUNDERS=${FOUNDERS:-$COUNT}
    BASE=${base:-6379}
    [[ $BASE != 0 ]] || BASE=$(free_base "$COUNT")
    ((BASE + COUNT - 1 + PEER_OFFSET <= 65535)) ||
        die "port $BASE is too high: $COUNT nodes from there need ports up to $((BASE + COUNT - 1)) + $PEER_OFFSET for peers"
    local port
    if port=$(taken_port "$BASE" "$COUNT"); then
        die "port $port is taken by another program (ports $BASE to $((BASE + COUNT - 1)) and those + $PEER_OFFSET are needed): choose others with --port"
    fi
    find_binary "$profile"
    start_all "$memory" "${flags[@]}"
}

# Writes the flags of node $1; $2: not empty when it keeps nothing on disk; the rest: more flags.
write_flags() {
    local node=$1 memory=$2 id list=''
    shift 2
    mkdir -p "$STATE/n$node"
    for ((id = 1; id <= COUNT; id++)); do
        # The first members are listed as they were; who came later asks those who are there.
        if ((node <= FOUNDERS ? id > FOUNDERS : id == node)); then continue; fi
        if ((node > FOUNDERS)) && is_removed "$id"; then continue; fi
        list+=${list:+,}$(node_addr "$id")
    done
    {
        if ((node <= FOUNDERS)); then printf '%s\n' --cluster "$list"; else printf '%s\n' --join "$list"; fi
        printf '%s\n' --bind "$(node_addr "$node")" --node-id "$node"
        [[ $memory ]] || printf '%s\n' --data-dir "$STATE/n$node/data"
        (($#)) && printf '%s\n' "$@"
    } >"$STATE/n$node/flags" || true
}

# Starts COUNT nodes; $1: not empty when they keep nothing on disk; the rest: their flags.
start_all() {
    local memory=$1 id ids=()
    shift
    mkdir -p "$STATE"
    STATE=$(cd "$STATE" && pwd)
    save
    for ((id = 1; id <= COUNT; id++)); do
        is_removed "$id" || ids+=("$id")
    done
    for id in "${ids[@]}"; do
        write_flags "$id" "$memory" "$@"
        launch "$id"
    done
    if ! (await_leader "$(patience_s "$@")" "${ids[@]}"); then
        if running_ids; then stop_nodes "${RUNNING[@]}"; fi
        die "the start failed; all nodes are stopped, their logs are in $STATE/n*/log"
    fi
    cmd_status
    printf '\nConnect with any Redis client to any of them, such as: redis-cli -p %s\n' "$(node_port "${ids[0]}")"
}

# -- Looking ----------------------------------------------------------------------------

# Sets RUNNING; fails when nothing runs.
running_ids() {
    local id
    RUNNING=()
    for ((id = 1; id <= COUNT; id++)); do
        node_pid "$id" >/dev/null && RUNNING+=("$id")
    done
    ((${#RUNNING[@]}))
}

cmd_status() {
    local id pid fields role term indexes leader='' peer
    local -A lag=() row=()
    for ((id = 1; id <= COUNT; id++)); do
        role=stopped term=- indexes=- pid=-
        is_removed "$id" && role=removed
        if pid=$(node_pid "$id"); then
            read -ra fields <<<"$(proc_stat "$pid")"
            if [[ ${fields[0]-} == [Tt] ]]; then
                role=paused
            elif raft_info "$id"; then
                role=${INFO[raft_role]} term=${INFO[raft_term]--}
                indexes=${INFO[raft_commit_index]--}/${INFO[raft_applied_index]--}
                if [[ $role == leader ]]; then
                    leader=$id
                    for peer in "${!INFO[@]}"; do
                        [[ $peer =~ ^raft_peer([0-9]+)$ && ${INFO[$peer]} =~ lag=([0-9]+) ]] || continue
                        lag[${peer#raft_peer}]=${BASH_REMATCH[1]}
                    done
                fi
            else
                role=silent
            fi
        else
            pid=-
        fi
        row[$id]="$role $term $indexes $pid"
    done
    printf '%-4s %-13s %-6s %-21s %-8s %-21s %s\n' id role term commit/applied lag address pid
    for ((id = 1; id <= COUNT; id++)); do
        read -r role term indexes pid <<<"${row[$id]}"
        printf '%-4s %-13s %-6s %-21s %-8s %-21s %s\n' \
            "$id" "$role" "$term" "$indexes" "${lag[$id]--}" "$(node_addr "$id")" "$pid"
    done
    [[ $leader ]] || echo 'There is no leader.'
}

# Of two that both think so, the one with the higher term is.
cmd_leader() {
    local id best='' best_term=-1
    for ((id = 1; id <= COUNT; id++)); do
        if ! node_pid "$id" >/dev/null || ! raft_info "$id"; then continue; fi
        if [[ ${INFO[raft_role]} == leader ]] && ((INFO[raft_term] > best_term)); then
            best=$id best_term=${INFO[raft_term]}
        fi
    done
    [[ $best ]] || die 'there is no leader'
    echo "$best"
}

cmd_logs() {
    need_id "${1-}"
    [[ -f $STATE/n$1/log ]] || die "node $1 has no log yet"
    case ${2-} in
    '') tail -n 100 "$STATE/n$1/log" ;;
    -f) exec tail -n 20 -f "$STATE/n$1/log" ;;
    *) die "logs takes -f, not '$2'" ;;
    esac
}

# -- Disturbing and stopping --------------------------------------------------------------

# Sends signal $1 to node $2.
signal() {
    local pid
    pid=$(node_pid "$2") || die "node $2 does not run"
    kill -s "$1" "$pid"
}

# Waits until none of the nodes $2... runs; at most $1 seconds.
await_gone() {
    local deadline=$((SECONDS + $1)) id
    shift
    for id; do
        while node_pid "$id" >/dev/null; do
            ((SECONDS < deadline)) || return 1
            sleep 0.02
        done
        rm -f "$STATE/n$id/pid"
    done
}

# Asks the nodes to stop, and kills who does not within ten seconds.
stop_nodes() {
    local id
    # One that ended by itself meanwhile is no reason to leave the others running.
    for id; do
        (signal TERM "$id" && signal CONT "$id") 2>/dev/null || true
    done
    await_gone 10 "$@" && return
    for id; do
        node_pid "$id" >/dev/null || continue
        echo "node $id did not stop within 10 seconds and is killed" >&2
        (signal KILL "$id") || true
    done
    await_gone 10 "$@" || die "some nodes do not even end when killed"
}

cmd_stop() {
    if running_ids; then
        stop_nodes "${RUNNING[@]}"
        echo "stopped: ${RUNNING[*]}"
    else
        echo 'nothing runs'
    fi
}

cmd_kill() {
    need_id "${1-}"
    signal KILL "$1"
    await_gone 10 "$1" || die "node $1 does not even end when killed"
    echo "killed: $1"
}

cmd_restart() {
    need_id "${1-}"
    is_removed "$1" && die "node $1 was removed from the cluster: add a new one with: scripts/cluster.sh add"
    if [[ $(tr '\n' ' ' <"$STATE/n$1/flags") =~ --storage[\ =]memory ]] && ((COUNT > 1)); then
        die "node $1 keeps nothing on disk (--storage memory): the others do not let it come back without its votes"
    fi
    node_pid "$1" >/dev/null && stop_nodes "$1"
    [[ -x $BIN ]] || die "$BIN, with which the cluster was started, is gone"
    launch "$1"
    local deadline=$((SECONDS + 30))
    until raft_info "$1"; do
        if ! node_pid "$1" >/dev/null || ((SECONDS >= deadline)); then
            show_log "$1"
            die "node $1 did not start"
        fi
        sleep 0.05
    done
    echo "restarted: $1 ($(node_addr "$1"))"
}

# Sets VIA to the port of a node that answers and is not $1.
other_than() {
    local id
    for ((id = 1; id <= COUNT; id++)); do
        if [[ $id != "$1" ]] && node_pid "$id" >/dev/null && raft_info "$id"; then
            VIA=$(node_port "$id")
            return 0
        fi
    done
    die "no node answers that could be asked"
}

# Makes the files of one more node, with the flags $@ besides those that the first node has, and
# sets NEW to its id. It does not run yet.
prepare_new() {
    local flags=() kept=()
    NEW=$((COUNT + 1))
    ((NEW <= MAX_NODES)) || die "a cluster of this script has at most $MAX_NODES nodes"
    local port
    for port in "$(node_port "$NEW")" $(($(node_port "$NEW") + PEER_OFFSET)); do
        ! port_taken "$port" || die "port $port, which node $NEW needs, is taken by another program"
    done
    mapfile -t flags <"$STATE/n1/flags"
    local i=0 memory=yes
    while ((i < ${#flags[@]})); do
        case ${flags[i]} in
        --cluster | --bind | --node-id) i=$((i + 1)) ;;
        --data-dir) memory='' i=$((i + 1)) ;;
        *) kept+=("${flags[i]}") ;;
        esac
        i=$((i + 1))
    done
    COUNT=$NEW
    rm -rf "${STATE:?}/n$NEW"
    write_flags "$NEW" "$memory" "${kept[@]}" "$@"
}

# Starts node NEW and waits until it is a voter.
launch_new() {
    [[ -x $BIN ]] || die "$BIN, with which the cluster was started, is gone"
    save
    launch "$NEW"
    local deadline=$((SECONDS + 60))
    until raft_info "$NEW" && [[ ,${INFO[raft_voters]-}, == *,$NEW,* ]]; do
        if ! node_pid "$NEW" >/dev/null || ((SECONDS >= deadline)); then
            show_log "$NEW"
            die "node $NEW is not a voter yet; to try again: scripts/cluster.sh restart $NEW"
        fi
        sleep 0.05
    done
}

cmd_add() {
    local NEW
    prepare_new "$@"
    launch_new
    echo "added: $NEW ($(node_addr "$NEW"))"
}

# Node $1 is no member any more: it ends by itself, if it runs.
note_removed() {
    await_gone 10 "$1" || stop_nodes "$1"
    touch "$STATE/n$1/removed"
}

cmd_remove() {
    need_id "${1-}"
    is_removed "$1" && die "node $1 was removed before"
    local VIA reply
    other_than "$1"
    reply=$(RESP_PATIENCE=30 resp "$VIA" RAFT REMOVE "$1") || die "node $1 was not removed"
    [[ $reply == OK ]] || die "node $1 is on its way out, and not out yet: $reply"
    note_removed "$1"
    echo "removed: $1"
}

cmd_replace() {
    need_id "${1-}"
    is_removed "$1" && die "node $1 was removed before"
    local VIA NEW asked
    other_than "$1"
    prepare_new
    # The reply comes when the new node has caught up, so it is started meanwhile.
    RESP_PATIENCE=90 resp "$VIA" RAFT REPLACE "$1" "$NEW" "$(node_addr "$NEW")" >/dev/null &
    asked=$!
    until raft_info $((VIA - BASE + 1)) && [[ ,${INFO[raft_members]-}, == *,$NEW,* ]]; do
        if ! kill -0 "$asked" 2>/dev/null && ! wait "$asked"; then
            rm -rf "${STATE:?}/n$NEW"
            die "node $1 is not replaced"
        fi
        sleep 0.05
    done
    launch_new
    wait "$asked" || true
    until raft_info "$NEW" && [[ ,${INFO[raft_members]-}, != *,$1,* ]]; do sleep 0.05; done
    note_removed "$1"
    echo "replaced: $1 by $NEW ($(node_addr "$NEW"))"
}

cmd_clean() {
    running_ids && stop_nodes "${RUNNING[@]}"
    local id
    # By name, not the whole directory: BOWLINE_CLUSTER_DIR may hold other things.
    for ((id = 1; id <= COUNT; id++)); do rm -rf "${STATE:?}/n$id"; done
    rm -f "$STATE/cluster"
    rmdir "$STATE" 2>/dev/null || true
    echo "deleted: the cluster in $STATE"
}

command=${1-help}
(($#)) && shift
case $command in
start) cmd_start "$@" ;;
help | -h | --help) usage ;;
clean)
    if [[ -f $STATE/cluster ]]; then load && cmd_clean; else echo "there is no cluster in $STATE"; fi
    ;;
status | stop | leader)
    load
    (($# == 0)) || die "$command takes no arguments"
    "cmd_$command"
    ;;
kill | restart | logs | add | remove | replace)
    load
    "cmd_$command" "$@"
    ;;
pause | resume)
    load
    need_id "${1-}"
    if [[ $command == pause ]]; then signal STOP "$1"; else signal CONT "$1"; fi
    echo "${command}d: $1"
    ;;
addr)
    load
    need_id "${1-}"
    node_addr "$1"
    ;;
pid)
    load
    need_id "${1-}"
    node_pid "$1" || die "node $1 does not run"
    ;;
*) die "there is no command '$command'; see: scripts/cluster.sh help" ;;
esac
