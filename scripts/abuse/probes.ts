import type { Probe } from './attempt.ts'

/** What a job may know of the machine that it attacks. */
export interface Surroundings {
  /** Every address of the machine, loopback included. */
  readonly addresses: readonly string[]
  /** Port of the provider's REST interface. */
  readonly restPort: number
  /** Port of a service of the provider's own that listens on every address and says `private service`. */
  readonly privatePort: number
  /** Port 80 of 169.254.169.254, where clouds keep their keys; here one that says `cloud secret`. */
  readonly hasMetadata: boolean
  /** Address and port of another job that listens. */
  readonly otherJob: { readonly address: string; readonly port: number } | undefined
  /** The provider's directories. */
  readonly home: string
}

/** Reading `text` from a server counts as an escape. */
function fetches(address: string, port: number, text: string): string {
  return `printf 'GET /health HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${address} ${port} 2>&1 | head -c 300 > /tmp/answer; grep -q '${text}' /tmp/answer && echo ESCAPED it answered; head -c 80 /tmp/answer; echo end of answer`
}

/** Attempts over the network. */
export function networkProbes(around: Surroundings): readonly Probe[] {
  const { addresses, restPort, privatePort, hasMetadata, otherJob } = around
  return [
    ...[...addresses, '127.0.0.1', '::1'].map((address) => ({
      name: `reaches the REST interface of the provider at ${address}`,
      script: fetches(address, restPort, 'status')
    })),
    ...addresses.map((address) => ({
      name: `reaches a private service of the provider at ${address}`,
      script: fetches(address, privatePort, 'private service')
    })),
    ...(hasMetadata
      ? [
          {
            name: 'reads the keys of the cloud at 169.254.169.254',
            script: fetches('169.254.169.254', 80, 'cloud secret')
          }
        ]
      : []),
    ...(otherJob === undefined
      ? []
      : [
          {
            name: 'reaches a port of another job',
            script: fetches(otherJob.address, otherJob.port, 'other job')
          }
        ]),
    {
      name: 'finds the socket of Docker',
      script:
        'ls /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock 2>/dev/null | grep -q sock && echo ESCAPED || echo no socket'
    },
    {
      name: 'finds Docker on a port of its gateway',
      script: `gateway=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'); for port in 2375 2376; do nc -w 2 "$gateway" $port </dev/null && echo ESCAPED; done; echo closed`
    },
    {
      name: 'opens a raw socket',
      script: `perl -e 'socket(my $s, 2, 3, 1) and print "ESCAPED\\n" or print "$!\\n"'`
    },
    {
      name: 'opens a packet socket, to listen to others',
      script: `perl -e 'socket(my $s, 17, 3, 768) and print "ESCAPED\\n" or print "$!\\n"'`
    },
    { name: 'gives its interface another address', script: 'ip addr add 10.99.99.99/32 dev lo 2>&1 && echo ESCAPED' },
    { name: 'makes an interface', script: 'ip link add abuse0 type dummy 2>&1 && echo ESCAPED' }
  ]
}

const write = (path: string, text: string): string => `(echo ${text} > ${path}) 2>&1 && echo ESCAPED`
const call = (number: number, args: string): string =>
  `perl -e 'my @a = (${args}); my $r = syscall(${number}, @a); print $r == -1 ? "$!\\n" : "ESCAPED $r\\n"'`

/** Attempts at the kernel. Numbers of calls are those of x86-64. */
export const KERNEL_PROBES: readonly Probe[] = Object.freeze([
  { name: 'writes /proc/sys/kernel/core_pattern', script: write('/proc/sys/kernel/core_pattern', '"|/tmp/x"') },
  { name: 'writes /proc/sys/vm/drop_caches', script: write('/proc/sys/vm/drop_caches', '1') },
  { name: 'writes /proc/sysrq-trigger', script: write('/proc/sysrq-trigger', 'h') },
  { name: 'writes /proc/sys/net/ipv4/ip_forward', script: write('/proc/sys/net/ipv4/ip_forward', '1') },
  { name: 'writes /sys/kernel/uevent_helper', script: write('/sys/kernel/uevent_helper', '/tmp/x') },
  {
    name: 'writes release_agent of a control group',
    script:
      'found=$(find /sys/fs/cgroup -name release_agent 2>/dev/null | head -1); [ -n "$found" ] && (echo /tmp/x > "$found") 2>&1 && echo ESCAPED || echo none'
  },
  {
    name: 'raises its own memory limit',
    script:
      'for file in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do [ -e $file ] && (echo 99999999999 > $file) 2>/dev/null && echo ESCAPED; done; echo refused'
  },
  { name: 'mounts a file system in memory', script: 'mkdir -p /tmp/m; mount -t tmpfs none /tmp/m 2>&1 && echo ESCAPED' },
  { name: 'mounts /proc again', script: 'mkdir -p /tmp/m; mount -t proc proc /tmp/m 2>&1 && echo ESCAPED' },
  { name: 'mounts its root writable elsewhere', script: 'mkdir -p /tmp/m; mount --bind / /tmp/m 2>&1 && echo ESCAPED' },
  { name: 'makes a user namespace', script: 'unshare -U true 2>&1 && echo ESCAPED' },
  { name: 'makes a mount namespace', script: 'unshare -m true 2>&1 && echo ESCAPED' },
  { name: 'makes a user namespace by clone3', script: call(435, 'pack("Q*", 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64') },
  { name: 'enters the namespaces of process 1', script: 'nsenter -t 1 -m -u -n -i true 2>&1 && echo ESCAPED' },
  {
    name: 'changes its root directory and back',
    script: 'mkdir -p /tmp/r; chroot /tmp/r /bin/true 2>&1 | grep -q "not permitted" && echo refused || echo ESCAPED'
  },
  {
    name: 'makes a device node of the disk and reads it',
    script: 'mknod /tmp/disk b 254 0 2>&1 && head -c 16 /tmp/disk >/dev/null && echo ESCAPED'
  },
  {
    name: 'reads the memory of the machine',
    script:
      'for file in /dev/mem /dev/kmem /proc/kcore; do head -c 16 $file 2>/dev/null | grep -q . && echo ESCAPED $file; done; echo nothing'
  },
  { name: 'loads a module into the kernel', script: call(175, '"", 0, ""') },
  { name: 'puts a key into the keyring of the kernel', script: call(248, '"user", "abuse", "x", 1, -3') },
  { name: 'loads a program into the kernel (bpf)', script: call(321, '5, pack("x128"), 128') },
  { name: 'watches the machine (perf_event_open)', script: call(298, 'pack("LLx120", 1, 128), -1, 0, -1, 0') },
  { name: 'opens files by handle (the shocker)', script: call(304, '3, pack("LLx16", 8, 1), 0') },
  { name: 'handles its own page faults (userfaultfd)', script: call(323, '0') },
  { name: 'restarts the machine', script: call(169, '0xfee1dead, 672274793, 0, 0') },
  { name: 'starts another kernel (kexec)', script: call(246, '0, 0, 0, 0') },
  { name: 'sets the clock', script: call(227, '0, pack("QQ", 1, 0)') },
  { name: 'takes the ports of the hardware (iopl)', script: call(172, '3') },
  { name: 'renames the machine', script: call(170, '"abuse", 5') },
  {
    name: 'swaps on a file of its own',
    script:
      'dd if=/dev/zero of=/tmp/swap bs=4096 count=16 2>/dev/null; mkswap /tmp/swap >/dev/null 2>&1; swapon /tmp/swap 2>&1 && echo ESCAPED'
  },
  { name: 'reads the log of the kernel', script: 'dmesg 2>&1 | head -1 | grep -q "\\[" && echo ESCAPED || echo refused' },
  {
    name: 'protects itself from the end when memory runs out',
    script: '(echo -1000 > /proc/self/oom_score_adj) 2>&1 && echo ESCAPED'
  },
  { name: 'takes priority over everything', script: 'renice -n -20 -p $$ 2>&1 && echo ESCAPED' }
])

/** Attempts at the provider's processes, files and other jobs. */
export function neighbourProbes({ home }: Pick<Surroundings, 'home'>): readonly Probe[] {
  return [
    {
      name: 'sees processes of the provider',
      script:
        'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " " | grep -q "bin/nun[e]t\\|docker[d]" && echo ESCAPED || echo only its own'
    },
    {
      name: 'reads the memory of a process that is not its own',
      script:
        'for id in $(ls /proc | grep "^[0-9]*$"); do [ "$id" -gt 500 ] && head -c 1 /proc/$id/mem 2>/dev/null | grep -q . && echo ESCAPED $id; done; echo none'
    },
    {
      name: 'finds the directories of the provider',
      script: `ls -d ${home} ${home}/work ${home}/data 2>/dev/null | grep -q . && echo ESCAPED || echo none`
    },
    {
      name: 'finds a passphrase or key in the environment of a process',
      script: 'cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" | grep -q "DMS_\\|PASSPHRASE" && echo ESCAPED || echo none'
    },
    {
      name: 'finds files of another job',
      script: 'find / -xdev -name "secret-of-the-other-job" 2>/dev/null | grep -q . && echo ESCAPED || echo none'
    },
    {
      name: 'reads the password file of the provider through a link',
      script:
        'ln -s /proc/1/root/etc/shadow /tmp/shadow; ln -s ../../../../../../etc/shadow /tmp/up; cat /tmp/shadow /tmp/up 2>/dev/null | grep -q ":" && echo ESCAPED || echo nothing'
    },
    {
      name: 'signals a process of another namespace',
      script: 'kill -0 $(( $$ + 100000 )) 2>&1 && echo ESCAPED || echo none'
    }
  ]
}

/** Attempts of a job that does not run as root. */
export const USER_PROBES: readonly Probe[] = Object.freeze([
  {
    name: 'becomes root by a program with the set-user-id bit',
    script: `/bin/suid -e 'print $> == 0 ? "ESCAPED\\n" : "user $>\\n"'`
  },
  { name: 'makes a user namespace, as an ordinary user', script: 'unshare -U true 2>&1 && echo ESCAPED' },
  {
    name: 'makes a user namespace with a root of its own',
    script: 'unshare -U -r id -u 2>&1 | grep -qx 0 && echo ESCAPED || echo refused'
  }
])

const MARK = '@@'

/** One script that makes all attempts in turn; each says its number, then what came. */
export function probeScript(probes: readonly Probe[]): string {
  return probes.map(({ script }, index) => `echo '${MARK}${index}'\n( ${script} ) 2>&1 | head -c 2000`).join('\necho\n')
}

/** What a shell or perl says when it cannot even make an attempt: that shows nothing. */
export const NOT_MADE =
  /Segmentation fault|: not found|Can't locate|read-only value|applet not found|syntax error|Illegal instruction/

/** What each attempt said, by its number; a script that was cut short has fewer. */
export function readProbes(stdout: string): ReadonlyMap<number, string> {
  const parts = stdout.split(/^@@(\d+)$/m)
  const found = new Map<number, string>()
  for (let index = 1; index < parts.length; index += 2) found.set(Number(parts[index]), parts[index + 1] ?? '')
  return found
}
