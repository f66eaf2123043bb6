# Runs a program and ends it, with all that it started, when the synchronizer is gone or asks for it: both show as the
# end of standard input, which the synchronizer holds open. Nothing else tells of a synchronizer that was killed.
#
#   sh -c SCRIPT NAME FOLDER CONTROL KEEP PROGRAM ARGUMENT...
#
# (`kill -s KILL`, as not every sh knows `kill -KILL --`.)
#
# FOLDER and CONTROL (may be empty: no ssh) are removed at a forced end, unless KEEP is not empty. The program's
# standard output goes to our standard error; what it writes to file descriptor 4 goes to our standard output.
folder=$1 control=$2 keep=$3
shift 3
stop=
trap 'stop=1' TERM
exec 3<&0 4>&1 </dev/null

"$@" 3<&- >&2 &
child=$!
exec 4>&-

# It repeats itself: a signal just before `wait` would not wake that.
(
  trap - TERM
  read -r _ <&3
  while kill -s TERM $$; do sleep 1; done
) >/dev/null 2>&1 &
reader=$!
exec 3<&-

# All that descend from a process: a program may give its children sessions of their own, out of reach of a signal to
# its process group.
family() {
  for status in $(grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status); do
    pid=${status#/proc/}
    pid=${pid%/status}
    echo "$pid"
    family "$pid"
  done
}

# ssh keeps a connection open for the next task, in a process that is nobody's child.
close_connections() {
  [ -n "$control" ] || return 0
  for socket in "$control"/*; do
    [ -S "$socket" ] && ssh -q -o ControlPath="$socket" -O exit host </dev/null >/dev/null 2>&1
  done
  return 0
}

end() {
  for pid in $all; do kill -s KILL -- "-$pid" "$pid"; done 2>/dev/null
  close_connections
  if [ -z "$keep" ]; then rm -rf -- "$folder"; fi
  if [ -n "$control" ]; then rm -rf -- "$control"; fi
  kill -s KILL -- -$$
}

[ -n "$stop" ] || wait "$child"
code=$?
if [ -n "$stop" ]; then
  trap '' TERM
  all=$(family "$child")
  # shellcheck disable=SC2086
  kill -s TERM $all 2>/dev/null
  kill -s TERM -- -$$
  (sleep 2; end) >/dev/null 2>&1 &
  wait "$child"
  sleep 0.2
  end >/dev/null 2>&1
fi
kill -s TERM "$reader" 2>/dev/null
close_connections
exit "$code"
