/** What the monitor is told, in its environment. */
export interface MonitorSettings {
  readonly runtime: string
  readonly state: string
  readonly id: string
  /** Kept of each stream. */
  readonly logBytes: number
  /** Short names of the layers, top first, joined by colons. */
  readonly layers: string
  /** Of the job; without it there is no network. */
  readonly network?: {
    readonly address: string
    readonly gateway: string
    readonly prefix: number
    readonly hostInterface: string
  }
}

/** The environment of a monitor; the paths in it are the program's own. */
export function monitorEnvironment(settings: MonitorSettings): Readonly<Record<string, string>> {
  const { runtime, state, id, logBytes, layers, network } = settings
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    RUNTIME: runtime,
    STATE: state,
    ID: id,
    LOG_BYTES: String(logBytes),
    LAYERS: layers,
    ...(network === undefined
      ? {}
      : {
          NET_HOST: network.hostInterface,
          NET_ADDRESS: `${network.address}/${network.prefix}`,
          NET_GATEWAY: network.gateway,
          NET_GATEWAY_ADDRESS: `${network.gateway}/${network.prefix}`
        })
  }
}

/** What Node starts: it keeps a door to the network of the machine open and takes namespaces of its own. */
export const MONITOR_COMMAND: readonly string[] = [
  '/bin/sh',
  '-c',
  'exec 9</proc/self/ns/net; exec unshare --mount --net --propagation private /bin/sh monitor.sh'
]

/**
 * Watches one container from before its start to after its end, in mount and network namespaces of its own: with its last process
 * every mount, loop device and interface of the job goes, whoever was killed and how.
 *
 * A shell, because one waits for each container: it takes about a megabyte where Node would take forty.
 */
export const MONITOR_TEXT = `#!/bin/sh
# Written by the DMS for one job; see src/executor/oci/monitor.ts. Works in its own directory.
set -u
umask 077

fail() {
  printf '%s\\n' "$1" >failure.new
  mv failure.new failure
  exit 1
}

# A second monitor of the same job ends here: the first has the name.
read -r stat </proc/$$/stat
set -- \${stat##*) }
read -r boot </proc/sys/kernel/random/boot_id
printf '{"pid":%s,"startTime":"%s","bootId":"%s"}' "$$" "\${20}" "$boot" >process.$$
ln process.$$ process.json 2>/dev/null || { rm -f process.$$; exit 0; }
rm -f process.$$
echo 500 >/proc/self/oom_score_adj 2>/dev/null
ulimit -n 65536 2>/dev/null # what this machine allows where that is less

try() {
  said=$("$@" 2>&1) || fail "$1: $said"
}

try ip link set lo up
if [ -n "\${NET_HOST-}" ]; then
  outside="nsenter --net=/proc/self/fd/9"
  $outside ip link delete "$NET_HOST" 2>/dev/null # of a job that was killed this moment
  try $outside ip link add "$NET_HOST" type veth peer name eth0 netns $$
  try $outside ip addr add "$NET_GATEWAY_ADDRESS" dev "$NET_HOST"
  try $outside ip link set "$NET_HOST" up
  try ip addr add "$NET_ADDRESS" dev eth0
  try ip link set eth0 up
  try ip route add default via "$NET_GATEWAY"
fi
exec 9<&-

mkdir -p disk rootfs
try mount -o loop,nosuid,nodev disk.img disk
mkdir -p disk/upper disk/work
chmod 755 disk/upper
cd l
try mount -t overlay -o "nodev,lowerdir=$LAYERS,upperdir=../disk/upper,workdir=../disk/work" overlay ../rootfs
cd ..

sed "s#@network@#/proc/$$/ns/net#" config.template >config.new || fail 'sed failed'
mv config.new config.json

# Each stream is kept up to a size; what comes after is read and dropped, so that the job does not wait for a reader.
keep() {
  stdbuf -o0 head -c "$LOG_BYTES" >>"$1"
  size=$(stat -c %s "$1")
  [ "$size" -ge "$LOG_BYTES" ] && printf '\\n[more output was dropped: %s bytes are kept]\\n' "$LOG_BYTES" >>"$1"
  exec cat >/dev/null
}
rm -f out err
mkfifo out err || fail 'mkfifo failed'
keep stdout.log <out &
keep stderr.log <err &

umask 022
"$RUNTIME" --root "$STATE" --log runtime.log run $KEEP --bundle . --pid-file container.pid "$ID" </dev/null >out 2>err
code=$?
umask 077
wait
if [ ! -s container.pid ] || { [ "$code" != 0 ] && grep -q 'level=error' runtime.log 2>/dev/null; }; then
  fail "$(tail -c 2000 stderr.log)"
fi

kills=0
for file in $OOM_FILES; do
  [ -r "$file" ] && kills=$((kills + $(sed -n 's/^oom_kill //p' "$file")))
done
outOfMemory=false
[ "$kills" -gt 0 ] && outOfMemory=true
if [ "$code" -gt 128 ] && [ "$code" -lt 193 ]; then
  signal=SIG$(kill -l $((code - 128)))
  printf '{"signal":"%s","outOfMemory":%s}' "$signal" "$outOfMemory" >exit.new
else
  printf '{"code":%s}' "$code" >exit.new
fi
ln exit.new exit.json 2>/dev/null
rm -f exit.new
"$RUNTIME" --root "$STATE" delete --force "$ID" >/dev/null 2>&1
umount rootfs disk 2>/dev/null
[ -n "$LEFTOVERS" ] && rmdir $LEFTOVERS 2>/dev/null
exit 0
`
