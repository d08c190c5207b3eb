#!/usr/bin/env bash
# Every test that a document names must exist: `Suite.Case`, with a capital each.
#   semantics.sh TESTS DOCUMENT…
set -euo pipefail
tests=$1
shift
# Names of cases may begin on the line after the suite's.
known=$(find "$tests" -name '*.cpp' -exec cat {} + | tr '\n' ' ' |
  grep -oE '(TEST|TEST_F|TEST_P|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)\( *[A-Za-z0-9]+, *[A-Za-z0-9]+' |
  sed -E 's/^[A-Z_]+\( *//; s/, */./' | sort -u)
named=$(grep -ohE '`[A-Z][A-Za-z0-9]+\.[A-Z][A-Za-z0-9]+`' "$@" | tr -d '`' | sort -u)
[ -n "$named" ] || { echo "no test is named in $*"; exit 1; }
missing=$(comm -13 <(echo "$known") <(echo "$named"))
[ -z "$missing" ] || { echo "tests that are named but do not exist:"; echo "$missing"; exit 1; }
# Each row of a table names one.
bare=$(grep -hE '^\| ' "$@" | grep -vE '^\| question |`[A-Z][A-Za-z0-9]+\.[A-Z][A-Za-z0-9]+` \|$' || true)
[ -z "$bare" ] || { echo "rows that name no test:"; echo "$bare"; exit 1; }
echo "$(wc -l <<<"$named") tests are named, and all exist"
