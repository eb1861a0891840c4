/** A job that takes what it can get, judged from outside while it runs and after its end. */
export interface ShellAttack {
  readonly name: string
  readonly script: string
  /** How long it is left alone before it is shut down; it may end before. */
  readonly seconds: number
  /** What the job must not have achieved, by its own output. */
  readonly escaped?: RegExp
  /** Most of each on the machine while it runs; what is missing is not looked at. */
  readonly most?: Bounds
  readonly knownGap?: string
}

/** What a job may use at most, as seen from the machine. */
export interface Bounds {
  /** Processors, on average over the whole run. */
  readonly cores?: number
  readonly memoryMiB?: number
  readonly processes?: number
  /** Growth of the files that the provider keeps of its output. */
  readonly outputMiB?: number
}

/** What each of these jobs asks for; `most` is judged against it, with some room for measuring. */
export const SHELL_LIMITS = Object.freeze({ cores: 0.5, memoryMiB: 64, diskMiB: 64, processes: 4096 })

const NO_DISK_QUOTA = 'Docker cannot limit the disk of a container on overlay2 over ext4; `nunet doctor` says so'

/** Attacks on what a machine has, and on being ended. */
export const SHELL_ATTACKS: readonly ShellAttack[] = Object.freeze([
  {
    name: 'a fork bomb',
    script: 'bomb() { bomb | bomb & }; bomb; sleep 60',
    seconds: 8,
    most: { processes: 4200, cores: 0.8 }
  },
  {
    name: 'four thousand sleeping processes',
    script: 'i=0; while [ $i -lt 6000 ]; do sleep 600 & i=$((i+1)); done; echo ESCAPED; sleep 60',
    seconds: 8,
    escaped: /ESCAPED/,
    most: { processes: 4200, memoryMiB: 72 }
  },
  {
    name: 'a flood of zombies',
    script: `perl -e 'for (1..6000) { my $pid = fork; exit 0 if defined $pid && $pid == 0; } sleep 60'`,
    seconds: 6,
    most: { processes: 4200 }
  },
  {
    name: 'a memory bomb',
    script: `perl -e 'my @all; push @all, "x" x 1e6 for 1..2000; print "ESCAPED\\n"'`,
    seconds: 20,
    escaped: /ESCAPED/,
    most: { memoryMiB: 72 }
  },
  {
    name: 'memory behind shared memory (/dev/shm)',
    script:
      'dd if=/dev/zero of=/dev/shm/x bs=1M count=500 2>/dev/null; [ $(du -m /dev/shm/x | cut -f1) -gt 65 ] && echo ESCAPED; sleep 1',
    seconds: 20,
    escaped: /ESCAPED/,
    most: { memoryMiB: 72 }
  },
  {
    name: 'memory behind a pipe and its buffers',
    script: `perl -e 'my @all; for (1..4000) { pipe(my $r, my $w) or last; fcntl($w, 1031, 1048576); syswrite($w, "x" x 65536); push @all, $r, $w } sleep 3'`,
    seconds: 8,
    most: { memoryMiB: 80 }
  },
  {
    name: 'filling the disk in its root',
    script:
      'dd if=/dev/zero of=/fill bs=1M count=400 2>/dev/null; [ $(du -m /fill | cut -f1) -gt 128 ] && echo ESCAPED $(du -m /fill)',
    seconds: 60,
    escaped: /ESCAPED/,
    knownGap: NO_DISK_QUOTA
  },
  {
    name: 'filling the disk in /tmp',
    script:
      'dd if=/dev/zero of=/tmp/fill bs=1M count=400 2>/dev/null; [ $(du -m /tmp/fill | cut -f1) -gt 128 ] && echo ESCAPED $(du -m /tmp/fill)',
    seconds: 60,
    escaped: /ESCAPED/,
    knownGap: NO_DISK_QUOTA
  },
  {
    name: 'using up the inodes',
    script: `perl -e 'mkdir "/many"; for (1..40000) { open(my $f, ">", "/many/$_") or last; $n = $_ } print $n >= 40000 ? "ESCAPED $n\\n" : "$n\\n"'`,
    seconds: 60,
    escaped: /ESCAPED/,
    knownGap: NO_DISK_QUOTA
  },
  {
    name: 'a flood of output',
    script: 'yes "a line that nobody wants to read" | head -c 200000000',
    seconds: 45,
    most: { outputMiB: 64 }
  },
  {
    name: 'one line of a hundred million letters',
    script: 'head -c 100000000 /dev/zero | tr "\\0" x',
    seconds: 45,
    most: { outputMiB: 64 }
  },
  {
    name: 'output that would move the cursor and set the title of a terminal',
    script: `printf '\\033]0;owned\\007\\033[2J\\033[31mhello\\n'`,
    seconds: 20
  },
  {
    name: 'spinning on four processors',
    script: 'for i in 1 2 3 4; do (while :; do :; done) & done; sleep 60',
    seconds: 8,
    most: { cores: 0.7 }
  },
  {
    name: 'opening files until there are no more',
    script: `perl -e 'my @all; while (open(my $f, "<", "/etc")) { push @all, $f; last if @all > 2000000 } print scalar(@all) > 1500000 ? "ESCAPED\\n" : "held ".@all."\\n"; sleep 2'`,
    seconds: 15,
    escaped: /ESCAPED/,
    most: { memoryMiB: 80 }
  },
  {
    name: 'ignoring the request to end',
    script: `trap '' TERM INT HUP QUIT; while :; do sleep 1; done`,
    seconds: 2
  },
  {
    name: 'leaving grandchildren in sessions of their own',
    script: `for i in 1 2 3; do setsid sh -c 'trap "" TERM HUP; sleep 999 & while :; do sleep 1; done' & done; sleep 1; exit 0`,
    seconds: 20
  },
  {
    name: 'daemons that fork twice while the job ends at once',
    script: `perl -e 'for (1..20) { if (!fork) { if (!fork) { $SIG{TERM} = "IGNORE"; sleep 999 } exit } } exit 0'`,
    seconds: 20
  },
  {
    name: 'stopping its own init, so that it cannot answer',
    script: 'kill -STOP 1; kill -STOP $$; sleep 60',
    seconds: 3
  },
  {
    name: 'holding a deleted file of 48 MiB open',
    script: `perl -e 'open(my $f, "+>", "/tmp/held"); print $f "x" x (48*1048576); $f->flush if $f->can("flush"); unlink "/tmp/held"; sleep 60'`,
    seconds: 5
  },
  {
    name: 'a chain of directories too deep to name',
    script: `perl -e 'for (1..3000) { mkdir "dddddddddddddddd" or last; chdir "dddddddddddddddd" or last }'; echo made`,
    seconds: 30
  },
  {
    name: 'files that nobody may read or change',
    script: `mkdir /tmp/closed; echo x > /tmp/closed/file; chmod 000 /tmp/closed/file /tmp/closed; chattr +i /tmp/closed 2>/dev/null; echo made`,
    seconds: 20
  }
] satisfies ShellAttack[])

/** The ensemble of a script in a container of one kind. */
export function shellEnsemble(
  { kind, image }: ShellTarget,
  script: string,
  { user, cores = SHELL_LIMITS.cores }: ShellOptions = {}
): string {
  const execution = {
    type: kind,
    image,
    entrypoint: ['/bin/sh', '-c'],
    cmd: [script],
    ...(user === undefined ? {} : { user })
  }
  return `
version: V1
allocations:
  job:
    type: task
    executor: ${kind}
    resources: { cpu: { cores: ${cores} }, ram: { size: ${SHELL_LIMITS.memoryMiB}MiB }, disk: { size: ${SHELL_LIMITS.diskMiB}MiB } }
    execution: ${JSON.stringify(execution)}
nodes:
  node1:
    allocations: [job]
`
}

/** What runs such a job, and the image of the attackers there. */
export interface ShellTarget {
  readonly kind: string
  readonly image: string
}

/** How such a job is run. */
export interface ShellOptions {
  readonly user?: string
  readonly cores?: number
}
