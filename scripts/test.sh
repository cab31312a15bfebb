#!/bin/sh
# `npm test`: builds, installs the tools that the tests drive if they are missing, runs all tests.
# Arguments go to vitest (`npm test -- test/scenario`).
set -eu
cd "$(dirname "$0")/.."
# Without root what is missing has been named, and the tests that need it say so.
sh scripts/install-tools.sh || true
node scripts/build.js
exec node_modules/.bin/vitest run "$@"
