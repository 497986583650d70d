# Reads which commands begin and end; at the end of its input kills whoever is left of them.
#
#   begin MARK         a command is about to start; its environment will hold MARK
#   end MARK           it did not start
#   add GROUP MARK     it did, and leads this process group
#   remove GROUP MARK  it has ended
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

# What began, and nobody lived to tell its number, is known by its environment.

# Leaves in `process` and `group` the numbers of the process of this name in /proc.
identify() {
    process= group=
    read -r stat <"/proc/$1/stat" || return
    process=${stat%% *}
    # Behind the name, which may hold anything: state, parent, group.
    set -- ${stat##*') '}
    group=$3
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

# Without a /proc, or with one of other processes than ours, nobody can be known.
identify self
[ "$process" = "$$" ] || begun=' ' running=' '

# What left the group of a command that runs, until nobody is found anymore: `setsid` is known by the
# environment too. One that overwrites its environment is not found.
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

# No command is between fork and exec any more, where it would share our input with its engine; but
# the kernel may not have its environment in place, which is why this looks more than once.
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

# The wait for the dead has a bound: in a container without a proper init nobody ever reaps them,
# and `kill` finds zombies too.
rounds=0
for group in $groups; do
    while kill -s KILL -- "-$group" && [ "$rounds" -lt 40 ]; do
        rounds=$((rounds + 1))
        sleep 0.05 || sleep 1
    done
done
