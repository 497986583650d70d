# Reads the start and end of each command. At the end of its input, kills the remaining commands.
#
#   begin MARK         a command is about to start; its environment contains MARK
#   end MARK           the command did not start
#   add GROUP MARK     the command started and leads this process group
#   remove GROUP MARK  the command has ended
#
# Uses only builtins until everything is killed, because a running fork bomb may prevent forks.

trap '' HUP INT QUIT TERM TSTP

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

# Sets `process` and `group` to the pid and the group of the process with this name in /proc.
identify() {
    process= group=
    read -r stat <"/proc/$1/stat" || return
    process=${stat%% *}
    # After the name, which may contain any characters: state, parent, group.
    set -- ${stat##*') '}
    group=$3
}

# Succeeds if the process $1 was started with $2 in its environment. `read` drops NULs.
carries() {
    while IFS= read -r text || [ -n "$text" ]; do
        case $text in
        *"$2"*) return 0 ;;
        esac
    done <"/proc/$1/environ"
    return 1
}

# Without /proc, or if it is that of another PID namespace, commands cannot be found.
identify self
[ "$process" = "$$" ] || begun=' ' running=' '

# Kills the processes that left a command's group, for example with `setsid`, until none is found.
# They are found by their environment, so one that overwrites its environment is not found.
rounds=0
found=$running
while [ "$found" != ' ' ] && [ "$rounds" -lt 20 ]; do
    rounds=$((rounds + 1))
    found=' '
    for mark in $running; do
        # `read` would need a system call for each byte.
        for file in $(grep -lF -e "$mark" /proc/[0-9]*/environ); do
            file=${file%/environ}
            kill -s KILL "${file#/proc/}" && found="$found$mark "
        done
    done
done

# No command is between fork and exec now, because it would then share this input with its engine.
# But the kernel may not have set up its environment yet, so this searches several times.
rounds=0
while [ "$begun" != ' ' ] && [ "$rounds" -lt 20 ]; do
    [ "$rounds" -eq 0 ] || sleep 0.05 || sleep 1
    rounds=$((rounds + 1))
    missing=$begun
    for entry in /proc/[0-9]*; do
        identify "${entry#/proc/}"
        for mark in $begun; do
            carries "$process" "$mark" || continue
            kill -s KILL -- "-$group"
            groups="$groups$group "
            without "$missing" "$mark" && missing=$rest
        done
    done
    begun=$missing
done

# The wait for killed processes has a limit: in a container without a proper init, they are never
# reaped, and `kill` finds zombies too.
rounds=0
for group in $groups; do
    while kill -s KILL -- "-$group" && [ "$rounds" -lt 40 ]; do
        rounds=$((rounds + 1))
        sleep 0.05 || sleep 1
    done
done
