# Reads the start and end of each command. At the end of its input, kills the remaining commands.
#
#   begin MARK         a command is about to start; its environment contains MARK
#   end MARK           the command did not start
#   add GROUP MARK     the command started and leads this process group
#   remove GROUP MARK  the command has ended
#
# Uses only builtins until everything is killed, because a running fork bomb may prevent forks.

trap '' HUP INT QUIT TERM TSTP

# Sets `process`, `state`, `led`, `session`, `start` and `size` for the process with this name in
# /proc. `led` is its process group and `start` its start time. `size` is 0 if it has no memory.
identify() {
    process= state= led= session= start= size=
    read -r stat <"/proc/$1/stat" || return
    process=${stat%% *}
    # After the name, which may contain any characters: state, parent, group, session, and more.
    set -- ${stat##*') '}
    state=$1 led=$3 session=$4
    [ "$#" -gt 20 ] || return
    shift 19
    start=$1 size=$2
}

# The engine has started all of its commands after this time.
identify "$PPID"
begin=${start:-0}

# Sets `rest` to the list $1 without the word $2. Lists begin and end with a space.
without() {
    rest=$1
    case $1 in
    *" $2 "*) rest="${1%%" $2 "*} ${1#*" $2 "}" ;;
    esac
}

groups=' '
begun=' '
running=' '
while read -r verb name mark; do
    case $verb in
    begin) begun="$begun$name " ;;
    end) without "$begun" "$name" && begun=$rest ;;
    add)
        groups="$groups$name "
        running="$running$mark "
        without "$begun" "$mark" && begun=$rest
        ;;
    remove)
        without "$groups" "$name" && groups=$rest
        without "$running" "$mark" && running=$rest
        ;;
    esac
done

for group in $groups; do
    kill -s KILL -- "-$group"
done

# A command that started, but whose group was never added, is found by its environment.

# Succeeds if the process $1 was started with $2 in its environment. `read` drops NULs.
carries() {
    while IFS= read -r text || [ -n "$text" ]; do
        case $text in
        *"$2"*) return 0 ;;
        esac
    done <"/proc/$1/environ"
    return 1
}

# Succeeds if the last identified process may be a command that has just started and has no
# environment yet. The kernel sets the arguments and the environment up together, a moment after it has
# closed the files that were shared with the engine. A process with arguments but without an environment
# was started without one.
begins() {
    [ "$process" = "$session" ] && [ "$size" != 0 ] || return 1
    IFS= read -r text <"/proc/$process/cmdline"
    [ -z "$text" ]
}

# Succeeds if a process of the group $1 still runs. In a container without a proper init, killed
# processes are never reaped, and `kill` finds zombies too.
acts() {
    kill -s KILL -- "-$1" || return 1
    [ "$proc" ] || return 0
    for entry in /proc/[0-9]*; do
        identify "${entry#/proc/}"
        [ "$led" = "$1" ] || continue
        case $state in
        Z | X | x)
            # The first thread of a process can end before the others.
            set -- "$1" "$entry"/task/*
            [ "$#" -gt 2 ] && return 0
            ;;
        *) return 0 ;;
        esac
    done
    return 1
}

# Without /proc, or if it is that of another PID namespace, commands cannot be found.
identify self
if [ "$process" = "$$" ]; then proc=yes; else proc= begun=' ' running=' '; fi

# Kills the processes that left a command's group, for example with `setsid`, until none is found.
# They are found by their environment, so one that overwrites its environment is not found.
rounds=0
found=$running
set --
for mark in $running; do
    set -- "$@" -e "$mark"
done
while [ "$found" != ' ' ] && [ "$rounds" -lt 20 ]; do
    rounds=$((rounds + 1))
    found=' '
    # `read` would need a system call for each byte.
    for file in $(grep -lF "$@" /proc/[0-9]*/environ); do
        file=${file%/environ}
        kill -s KILL "${file#/proc/}" && found=yes
    done
done

# No command is between fork and exec now, because it would then share this input with its engine.
# If a command is not found and no process is starting now, the command never started.
rounds=0
while [ "$begun" != ' ' ] && [ "$rounds" -lt 20 ]; do
    [ "$rounds" -eq 0 ] || sleep 0.05 || sleep 1
    rounds=$((rounds + 1))
    missing=$begun
    undecided=
    for entry in /proc/[0-9]*; do
        identify "${entry#/proc/}"
        [ "${start:-0}" -ge "$begin" ] || continue
        # First, because its environment may be set up meanwhile.
        ! begins || undecided=yes
        for mark in $begun; do
            carries "$process" "$mark" || continue
            kill -s KILL -- "-$led"
            groups="$groups$led "
            without "$missing" "$mark" && missing=$rest
        done
    done
    begun=$missing
    [ "$undecided" ] || break
done

# The wait for killed processes has a limit, because one that waits for a broken disk does not end.
rounds=0
for group in $groups; do
    while acts "$group" && [ "$rounds" -lt 40 ]; do
        rounds=$((rounds + 1))
        sleep 0.05 || sleep 1
    done
done
