# Reads which commands begin and end; at the end of its input kills whoever is left of them.
#
#   begin MARK         a command is about to start; its environment will hold MARK
#   end MARK           it did not start
#   add GROUP MARK     it did, and leads this process group
#   remove GROUP       it has ended
#
# Only builtins until everything is killed: a fork bomb that is still going off may deny a fork.

trap '' HUP INT QUIT TERM TSTP

# Leaves in `rest` what the list $1 holds besides the word $2. Lists begin and end with a blank.
without() {
    rest=$1
    case $1 in
    *" $2 "*) rest="${1%%" $2 "*} ${1#*" $2 "}" ;;
    esac
}

groups=' '
begun=' '
while read -r verb name mark; do
    case $verb in
    begin) begun="$begun$name " ;;
    end) without "$begun" "$name" && begun=$rest ;;
    add)
        groups="$groups$name "
        without "$begun" "$mark" && begun=$rest
        ;;
    remove) without "$groups" "$name" && groups=$rest ;;
    esac
done

for group in $groups; do
    kill -s KILL -- "-$group"
done

# What began, and nobody lived to tell its number, is known by its environment.

# Leaves in `process`, `state`, `led`, `session`, `start` and `size` what /proc says of the process of
# this name: `led` is its group, `start` when it began, and `size` is 0 for what has no memory.
identify() {
    process= state= led= session= start= size=
    read -r stat <"/proc/$1/stat" || return
    process=${stat%% *}
    # Behind the name, which may hold anything: state, parent, group, session, and more.
    set -- ${stat##*') '}
    state=$1 led=$3 session=$4
    [ "$#" -gt 20 ] || return
    shift 19
    start=$1 size=$2
}

# Whether the process $1 was started with $2 in its environment. `read` leaves out the NULs.
carries() {
    while IFS= read -r text || [ -n "$text" ]; do
        case $text in
        *"$2"*) return 0 ;;
        esac
    done <"/proc/$1/environ"
    return 1
}

# Whether the process that was identified last has just begun and has no environment yet: the kernel
# puts that in place a moment after it has closed what was shared with the engine.
begins() {
    [ "$process" = "$session" ] && [ "$size" != 0 ] && [ "$start" -ge "$begin" ] || return 1
    IFS= read -r text <"/proc/$process/environ"
    [ -z "$text" ]
}

# Whether a process of the group $1 can still do anything. In a container without a proper init nobody
# reaps the dead, and `kill` finds them too.
acts() {
    kill -s KILL -- "-$1" || return 1
    [ "$proc" ] || return 0
    for entry in /proc/[0-9]*; do
        identify "${entry#/proc/}"
        [ "$led" = "$1" ] || continue
        case $state in
        Z | X | x)
            # The first thread of a process can be dead before the others.
            set -- "$1" "$entry"/task/*
            [ "$#" -gt 2 ] && return 0
            ;;
        *) return 0 ;;
        esac
    done
    return 1
}

# Without a /proc, or with one of other processes than ours, nobody can be known.
identify self
begin=$start
if [ "$process" = "$$" ]; then proc=yes; else proc= begun=' '; fi
# No command is between fork and exec any more, where it would share our input with its engine. One that
# is not found and does not begin just now was never started.
rounds=0
while [ "$begun" != ' ' ] && [ "$rounds" -lt 20 ]; do
    [ "$rounds" -eq 0 ] || sleep 0.05 || sleep 1
    rounds=$((rounds + 1))
    missing=$begun
    undecided=
    for entry in /proc/[0-9]*; do
        identify "${entry#/proc/}"
        for mark in $begun; do
            carries "$process" "$mark" || continue
            kill -s KILL -- "-$led"
            groups="$groups$led "
            without "$missing" "$mark" && missing=$rest
        done
        ! begins || undecided=yes
    done
    begun=$missing
    [ "$undecided" ] || break
done

# The wait for the dead has a bound: nothing ends a process that waits for a broken disk.
rounds=0
for group in $groups; do
    while acts "$group" && [ "$rounds" -lt 40 ]; do
        rounds=$((rounds + 1))
        sleep 0.05 || sleep 1
    done
done
