/**
 * The first program of every machine: mounts the root, runs the job, and speaks with the supervisor through serial ports.
 *
 * For busybox's shell. `/job` is from the archive of the run (`initrd.ts`): `modules/NN-*.ko`, `settings` (shell variables),
 * `enter` (a command in the job's root and environment), `main` (the job's own command), `files/` (to be put into the root).
 * Ports, by number: 1 stdout, 2 stderr, 3 the supervisor's. Lines to it: `ready`, `own`, `exit CODE KILLS`, `out ID BASE64`,
 * `end ID CODE`; from it: `stop`, `exec ID LIMIT BASE64`, `kill ID`.
 */
export const GUEST_INIT = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /root /etc /mnt
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
chmod 1777 /tmp /dev/shm
ln -sf /proc/self/fd /dev/fd
for module in /job/modules/*.ko; do insmod "$module"; done
. /job/settings

fail() { echo "nunet: $1" >&7; printf 'exit 126 0\\n' >&8; sleep 5; poweroff -f; }

# A port has a name a moment before it can be opened.
for port in /dev/vport0p1 /dev/vport0p2 /dev/vport0p3; do
  tries=0
  until [ -c $port ] && (: <>$port) 2>/dev/null || [ "$tries" = 200 ]; do sleep 0.05; tries=$((tries+1)); done
done
exec 6>/dev/vport0p1 7>/dev/vport0p2 8<>/dev/vport0p3

device() {
  for block in /sys/block/vd*; do
    [ "$(cat "$block/serial" 2>/dev/null)" = "$1" ] && echo "/dev/\${block##*/}"
  done
}
root=/
if [ "$ROOT" = disk ]; then
  root=/newroot
  mkdir -p $root
  tries=0
  until disk=$(device root); [ -n "$disk" ] || [ "$tries" = 100 ]; do sleep 0.05; tries=$((tries+1)); done
  mount -t ext4 "$disk" $root 2>/dev/null || mount "$disk" $root || fail "the root file system cannot be mounted"
  mkdir -p $root/proc $root/sys $root/dev $root/tmp
fi
cp -a /job/files/. $root/ || fail "the files of the job do not fit into the root file system"

if [ "$OWN_INIT" = yes ]; then
  mount --move /dev $root/dev
  mount --move /proc $root/proc
  mount --move /sys $root/sys
  printf 'own\\n' >&8
  exec 6>&- 7>&- 8>&-
  exec switch_root $root /sbin/init </dev/console >/dev/console 2>&1
fi
if [ $root != / ]; then
  mount --bind /dev $root/dev
  mount --bind /dev/pts $root/dev/pts
  mount -t proc proc $root/proc
  mount -t sysfs sys $root/sys
  chmod 1777 $root/tmp
fi
mkdir -p /dev/nunet /run/nunet
cp /bin/busybox /dev/nunet/busybox

command_inside() {
  setsid /bin/busybox sh /run/nunet/$1.sh </dev/null 2>&1 6>&- 7>&- 8>&- &
  echo $! >/run/nunet/$1.pid
  wait $!
  echo $? >/run/nunet/$1.code
}
run_inside() {
  command_inside $1 | { head -c $2 >/run/nunet/$1.out; cat >/dev/null; }
  base64 -w 2000 /run/nunet/$1.out | while read -r line; do printf 'out %s %s\\n' $1 "$line" >&8; done
  printf 'end %s %s\\n' $1 "$(cat /run/nunet/$1.code)" >&8
  rm -f /run/nunet/$1.*
}
serve() {
  while read -r verb id limit text; do
    case "$verb" in
      stop) kill -TERM -"$(cat /run/nunet/main.pid)" ;;
      exec)
        printf %s "$text" | base64 -d >/run/nunet/$id.sh
        run_inside $id "$limit" &
        ;;
      kill) kill -KILL -"$(cat /run/nunet/$id.pid)" ;;
    esac
  done <&8 2>/dev/null
}

mkfifo /run/nunet/stdout /run/nunet/stderr
cat /run/nunet/stdout >&6 &
stdout=$!
cat /run/nunet/stderr >&7 &
stderr=$!
setsid /bin/busybox sh /job/main </dev/null >/run/nunet/stdout 2>/run/nunet/stderr 6>&- 7>&- 8>&- &
main=$!
echo $main >/run/nunet/main.pid
serve &
printf 'ready\\n' >&8
wait $main
code=$?
kill -KILL -$main 2>/dev/null
(sleep 2; kill $stdout $stderr) 2>/dev/null &
wait $stdout $stderr
sync
[ $root = / ] || umount -l $root
kills=$(sed -n 's/^oom_kill //p' /proc/vmstat)
printf 'exit %s %s\\n' $code "\${kills:-0}" >&8
sleep 5
poweroff -f
`
