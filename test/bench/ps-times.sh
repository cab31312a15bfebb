#!/bin/sh
# Runs `ps -ef` COUNT times; prints "<seconds> <processes>" for each. Usage: ps-times.sh COUNT
set -eu
list=$(mktemp)
trap 'rm -f "$list"' EXIT
for _ in $(seq "$1"); do
  start=$(date +%s%N)
  ps -ef > "$list"
  end=$(date +%s%N)
  echo "$(((end - start) / 1000000))e-3 $(($(wc -l < "$list") - 1))"
done
