#!/bin/sh
# Prints the generated references again and fails when that changes them; the new ones are left in place to be committed.
set -eu
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
[ ! -d docs/reference ] || cp -R docs/reference/. "$before"
PATH="$PWD/node_modules/.bin:$PATH" tsx scripts/reference.ts
if ! diff -r "$before" docs/reference >&2; then
  echo "error: docs/reference was out of date and has been printed anew; commit it" >&2
  exit 1
fi
