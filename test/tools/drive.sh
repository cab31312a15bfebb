#!/bin/bash
# Runs each tool of the list on /proc as it finds it, and keeps what it prints and its exit status: NAME.out, NAME.err,
# NAME.rc in the folder $1. $2 is a name for pgrep, $3 one for pidof, $4 a process that stays. $5 is "all", or "some" for
# a large table, on which the tools that look at every file of every process would take minutes.
out=$1 name=$2 program=$3 stay=$4 which=$5
here=$(dirname "$(readlink -f "$0")")

try() {
  local id=$1
  shift
  TERM=xterm-256color COLUMNS=200 timeout -k 5 120 "$@" >"$out/$id.out" 2>"$out/$id.err" </dev/null
  echo $? >"$out/$id.rc"
}

# A shell command line: pipes, substitution, redirection.
try_sh() {
  local id=$1
  shift
  try "$id" bash -c "$@"
}

try ps-ef ps -ef
try ps-aux ps aux
try ps-eLf ps -eLf
try ps-axjf ps axjf
try top top -b -n2 -d1
try pgrep pgrep -a "$name"
try pidof pidof "$program"
try pstree pstree -p
try pmap pmap -x "$stay"
try free free
try uptime uptime
try w w
try vmstat vmstat 1 2
try lsof lsof -p "$stay"
try sysctl sysctl kernel.pid_max
try find find /proc -maxdepth 2 -name status
try loadavg cat /proc/loadavg
try meminfo cat /proc/meminfo
try self cat /proc/self/comm
try_sh substitution 'cat <(echo through a pipe)'
try_sh stdin 'echo through stdin | cat /dev/stdin'
try psutil /usr/bin/python3 "$here/psutil_all.py" "$([ "$which" = all ] && echo 1 || echo 40)"

if [ "$which" = all ]; then
  # Every column that ps has, but for its own experiments, whose names begin with an underscore; in four parts, since
  # procps 4.0.2 crashes when it is asked for all at once.
  for part in 0 1 2 3; do
    columns=$(ps L | awk -v part=$part '$1 !~ /^_/ && NR % 4 == part { print $1 }' | paste -sd,)
    try "ps-columns-$part" ps -eww -o "$columns"
  done
  try top-threads top -H -b -n1
  try pgrep-full pgrep -fl .
  try pstree-users pstree -N pid
  try pmap-XX pmap -XX "$stay"
  try pwdx pwdx "$stay"
  try lsns lsns
  try vmstat-s vmstat -s
  try vmstat-d vmstat -d
  try vmstat-m vmstat -m
  try slabtop slabtop -o
  try lscpu lscpu
  try lslocks lslocks
  try sysctl-a sysctl -a
  try lsof-all lsof -w -n -P
  try lsof-i lsof -w -n -P -i
  try mpstat mpstat 1 1
  try iostat iostat -x 1 1
  try pidstat pidstat -urdwh 1 1
  try sar sar -n DEV 1 1
  try tail tail -n 1 /proc/stat /proc/loadavg "/proc/$stay/limits"
  try wc wc -c "/proc/$stay/cmdline" "/proc/$stay/maps" "/proc/$stay/status" /proc/cpuinfo
  try_sh grep-status 'grep -h ^Name: /proc/[0-9]*/status'
  try_sh grep-r "grep -rs Threads /proc/$stay --include=status"
  try ls-lR ls -lR "/proc/$stay/task" "/proc/$stay/fd" "/proc/$stay/ns"
  # What must not be read to the end: logs that wait, images of memory.
  try find-cat find /proc -mindepth 2 -maxdepth 2 -type f \
    ! -name kmsg ! -name pagemap ! -name clear_refs ! -name mem -exec cat {} +
  try python-all /usr/bin/python3 "$here/read_all.py"
fi

# htop needs a terminal: tmux gives it one, and takes a picture of the screen once the table is drawn.
socket=$out/tmux.socket
tmux="timeout 20 tmux -S $socket -f /dev/null"
$tmux new-session -d -x 160 -y 40 "htop -d 10; echo \$? >$out/htop.rc" 2>"$out/htop.err"
for _ in $(seq 60); do
  sleep 0.5
  $tmux capture-pane -p >"$out/htop.out" 2>>"$out/htop.err"
  grep -q 'PID.*Command' "$out/htop.out" && break
done
# A large table takes seconds to read, and htop doesn't look at its keys meanwhile.
for i in $(seq 300); do
  [ -s "$out/htop.rc" ] && break
  [ $((i % 50)) = 1 ] && $tmux send-keys q 2>/dev/null
  sleep 0.1
done
$tmux kill-server 2>/dev/null
exit 0
