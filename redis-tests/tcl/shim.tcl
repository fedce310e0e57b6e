# Loads the upstream harness (tests/test_helper.tcl of a Redis tree) unchanged and replaces four
# of its procedures. Unchanged it loses a whole block, file or run when one command outside a
# test fails; with these, such a command costs only itself and is noted.
#
# SHIM in the environment is the path of this file; run_units.sh sets it.

# The harness starts its worker by naming test_helper.tcl: start this shim instead.
rename exec shim_exec
proc exec args {
    set i [lsearch -exact $args tests/test_helper.tcl]
    if {$i >= 0} { lset args $i $::env(SHIM) }
    uplevel 1 [linsert $args 0 shim_exec]
}

# The replacements go in once the last support file is loaded.
rename source shim_source
proc source args {
    set result [uplevel 1 [linsert $args 0 shim_source]]
    if {[string match */support/util.tcl [lindex $args end]]} shim_install
    return $result
}

proc shim_note {what why} {
    set head [lindex [split [string trim $what] "\n"] 0]
    send_data_packet $::test_server_fd note "outside a test: $head: $why"
}

# Evaluates a block one statement at a time; `level` is uplevel's, seen from in here.
proc shim_block {level code} {
    set statement ""
    foreach line [split $code "\n"] {
        append statement $line "\n"
        if {[string index $line end] eq "\\" || ![info complete $statement]} continue
        set status [catch {uplevel $level $statement} why]
        if {[string match "r config set *" [string trimleft $statement]]} shim_settled
        if {$status == 1} { shim_note $statement $why } elseif {$status != 0} return
        set statement ""
    }
    if {[string trim $statement] ne ""} { shim_note $statement "not a whole statement" }
}

proc shim_connect {} {
    set class [expr {[llength [info commands redis]] ? "redis" : "valkey"}]
    set client [$class $::host $::port 0 $::tls]
    if {!$::singledb} { catch {$client select 9} }
    return $client
}

proc shim_install {} {
    proc ::execute_test_file unit {
        set ::curfile tests/$unit.tcl
        set file [open $::curfile]
        set code [read $file]
        close $file
        shim_block 1 $code
        send_data_packet $::test_server_fd done $unit
    }

    proc ::tags {tags code} {
        set tags [string map { \" "" } $tags]
        set outer $::tags
        set ::tags [concat $outer $tags]
        if {[tags_acceptable $::tags why]} {
            shim_block 2 $code
        } else {
            send_data_packet $::test_server_fd ignore $why
        }
        set ::tags $outer
    }

    proc ::run_external_server_test {code overrides} {
        if {[catch {shim_connect} client]} {
            shim_note connect $client
            return
        }
        lappend ::servers [dict create host $::host port $::port client $client \
            config [dict create port $::port]]
        foreach setup {flushall {function flush}} {
            if {[catch {r {*}$setup} why]} { shim_note $setup $why }
        }
        set before {}
        catch {set before [r config get *]}
        foreach {name value} $overrides {
            if {[catch {
                r config set $name $value
                if {$name eq "appendonly" && $value eq "yes"} { waitForBgrewriteaof r }
            } why]} { shim_note "config set $name" $why }
        }
        set within $before
        catch {set within [r config get *]}
        lset ::servers end [dict replace [lindex $::servers end] settings $within]
        shim_block 3 $code
        shim_configure $before
        catch {[dict get [lindex $::servers end] client] close}
        set ::servers [lrange $::servers 0 end-1]
    }

    # After a failed test the link may be closed, inside MULTI, out of step or in another database, and the
    # configuration as the test had set it. A link that is in order stays: later tests may
    # count on its protocol, or on what it tracks.
    rename ::test ::shim_test
    proc ::test args {
        set failed $::num_failed
        uplevel 1 [linsert $args 0 shim_test]
        if {$::num_failed > $failed && [llength $::servers]} {
            catch shim_recover
            catch {uplevel 1 shim_renew}
        }
    }
}

# The second client of unit/tracking: a test that stopped midway leaves it tracking, and what it is told
# would come between the replies to later tests.
proc shim_renew {} {
    upvar 1 rd_sg client
    if {[info exists client]} {
        catch {$client close}
        set client [redis_client]
    }
}

proc shim_recover {} {
    set server [lindex $::servers end]
    if {[catch {[dict get $server client] ping shim} answer] || $answer ne "shim"} {
        catch {[dict get $server client] close}
        dict set server client [shim_connect]
        lset ::servers end $server
    } else {
        if {!$::singledb} { catch {[dict get $server client] select 9} }
    }
    catch {[dict get $server client] debug set-active-expire 1}
    shim_configure [dict get $server settings]
}

# What a unit sets between its tests is theirs, and is not put back after one that failed.
proc shim_settled {} {
    catch {
        lset ::servers end [dict replace [lindex $::servers end] settings [r config get *]]
    }
}

# Puts back what differs from these settings: upstream's tests leave some changed.
proc shim_configure {settings} {
    catch {
        set now [r config get *]
        foreach {name value} $settings {
            if {[dict exists $now $name] && [dict get $now $name] ne $value} {
                catch {r config set $name $value}
            }
        }
    }
}

source tests/test_helper.tcl
