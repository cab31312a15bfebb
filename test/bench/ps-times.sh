#!/bin/sh
# Runs `ps -ef` COUNT times; prints "<seconds> <processes>" for each. Usage: ps-times.sh COUNT
set -eu
for _ in $(seq "$1"); do
  start=$(date +%s%N)
  lines=$(ps -ef | tail -n +2 | wc -l)
  end=$(date +%s%N)
  echo "$(((end - start) / 1000000))e-3 $lines"
done
