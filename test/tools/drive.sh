#!/bin/bash
# Runs each tool of the list on /proc as it finds it, and keeps what it prints and its exit status: NAME.out, NAME.err,
# NAME.rc in the folder $1. $2 is the name of a process to look for, $3 a process that stays.
out=$1 name=$2 stay=$3
here=$(dirname "$(readlink -f "$0")")

try() {
  local id=$1
  shift
  TERM=xterm-256color COLUMNS=200 timeout -k 5 60 "$@" >"$out/$id.out" 2>"$out/$id.err" </dev/null
  echo $? >"$out/$id.rc"
}

try ps-ef ps -ef
try ps-aux ps aux
try ps-eLf ps -eLf
try ps-axjf ps axjf
try top top -b -n2 -d1
try pgrep pgrep -a "$name"
try pidof pidof "$name"
try pstree pstree -p
try pmap pmap -x "$stay"
try free free
try uptime uptime
try w w
try vmstat vmstat 1 2
try lsof lsof -p "$stay"
try sysctl sysctl kernel.pid_max
try sysctl-w sysctl -w synthproc.maps=lockfree
try psutil /usr/bin/python3 "$here/psutil_all.py"
try find find /proc -maxdepth 2 -name status
try loadavg cat /proc/loadavg
try meminfo cat /proc/meminfo
try self cat /proc/self/comm
try substitution bash -c 'cat <(echo through a pipe)'

# htop needs a terminal: tmux gives it one, and takes a picture of the screen.
socket=$out/tmux.socket
timeout 30 tmux -S "$socket" -f /dev/null new-session -d -x 160 -y 40 "htop; echo htop ended with \$? >$out/htop.rc"
sleep 4
timeout 10 tmux -S "$socket" capture-pane -p >"$out/htop.out" 2>"$out/htop.err"
timeout 10 tmux -S "$socket" send-keys q
for _ in $(seq 50); do [ -s "$out/htop.rc" ] && break; sleep 0.1; done
timeout 10 tmux -S "$socket" kill-server 2>/dev/null
exit 0
