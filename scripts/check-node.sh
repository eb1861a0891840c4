#!/bin/sh
# Says clearly when Node is missing or too old; `make` runs it before anything that needs Node.
if ! command -v node >/dev/null 2>&1; then
  echo "error: node is not installed; the DMS needs Node 20.19 or newer (and npm)" >&2
  exit 69
fi
if ! command -v npm >/dev/null 2>&1; then
  echo "error: npm is not installed; it comes with Node, or as a package of its own" >&2
  exit 69
fi
node -e '
  const [major, minor] = process.versions.node.split(".").map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) process.exit(0)
  console.error(`error: node ${process.versions.node} is too old; the DMS needs Node 20.19 or newer`)
  process.exit(69)
'
