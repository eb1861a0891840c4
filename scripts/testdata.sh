#!/bin/sh
# Puts what tests need and the repository does not have into .cache/: the kernel, its modules and busybox that micro machines boot from,
# out of Debian's packages. Nothing is installed. Safe to repeat; `.cache/microvm` can be deleted at any time.
set -eu
cd "$(dirname "$0")/.."
guest=.cache/microvm
if ls "$guest"/boot/vmlinuz-* >/dev/null 2>&1 && [ -x "$guest/bin/busybox" ]; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
newest_kernel() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1; }
kernel=$(newest_kernel)
if [ -z "$kernel" ]; then
  apt-get update -qq
  kernel=$(newest_kernel)
fi
if [ -z "$kernel" ]; then
  echo "error: linux-image-cloud-amd64 is not in the package lists of this system (is it Debian for amd64?)" >&2
  exit 1
fi
fetch() { (cd "$work" && apt-get download -qq "$kernel" busybox-static); }
if ! fetch; then # the lists are older than the packages
  apt-get update -qq
  kernel=$(newest_kernel)
  fetch
fi
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/root"; done
mkdir -p .cache
rm -rf "$guest"
mv "$work/root" "$guest"
