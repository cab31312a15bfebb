#!/bin/sh
# `npm test`: builds, installs the tools that the tests drive if they are missing, runs all tests.
# Arguments go to vitest (`npm test -- test/scenario`).
set -eu
cd "$(dirname "$0")/.."
sh scripts/install-tools.sh
node scripts/build.js
exec node_modules/.bin/vitest run "$@"
