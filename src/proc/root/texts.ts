/** Files at the root whose text is that of a usual virtual machine and never changes. */

export const FILESYSTEMS = `nodev	sysfs
nodev	tmpfs
nodev	proc
nodev	cgroup
nodev	cgroup2
nodev	cpuset
nodev	devtmpfs
nodev	binfmt_misc
nodev	debugfs
nodev	tracefs
nodev	securityfs
nodev	sockfs
nodev	bpf
nodev	pipefs
nodev	ramfs
nodev	hugetlbfs
nodev	devpts
	ext3
	ext2
	ext4
	squashfs
	vfat
nodev	autofs
	fuseblk
nodev	fuse
nodev	fusectl
nodev	overlay
	xfs
nodev	mqueue
	btrfs
nodev	pstore
`;

/** The first half of /proc/devices. */
export const CHARACTER_DEVICES = `Character devices:
  1 mem
  4 /dev/vc/0
  4 tty
  4 ttyS
  5 /dev/tty
  5 /dev/console
  5 /dev/ptmx
  7 vcs
 10 misc
 13 input
128 ptm
136 pts
203 cpu/cpuid
245 hidraw
248 bsg
249 watchdog
250 ptp
251 pps
252 rtc
`;

/** Drivers of block devices by major number. */
export const BLOCK_DRIVERS: readonly (readonly [number, string])[] = [
  [7, "loop"],
  [8, "sd"],
  [9, "md"],
  [11, "sr"],
  [252, "device-mapper"],
  [253, "zram"],
  [254, "virtblk"],
  [259, "blkext"],
];

export const TTY_DRIVERS = `/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/console         /dev/console    5       1 system:console
/dev/ptmx            /dev/ptmx       5       2 system
/dev/vc/0            /dev/vc/0       4       0 system:vtmaster
serial               /dev/ttyS       4 64-95 serial
pty_slave            /dev/pts      136 0-1048575 pty:slave
pty_master           /dev/ptm      128 0-1048575 pty:master
unknown              /dev/tty        4 1-63 console
`;

export const TTY_LDISCS = `n_tty       0
n_null     27
`;

export const CONSOLES = `ttyS0                -W- (EC  p a)    4:64
`;

export const MISC = `229 fuse
235 autofs
237 loop-control
200 tun
232 kvm
234 btrfs-control
183 hw_random
259 cpu_dma_latency
257 userfaultfd
228 hpet
256 vga_arbiter
`;

export const DMA = ` 4: cascade
`;

export const EXECDOMAINS = `0-0	Linux           	[kernel]
`;

export const IOPORTS = `0000-0cf7 : PCI Bus 0000:00
  0000-001f : dma1
  0020-0021 : pic1
  0040-0043 : timer0
  0050-0053 : timer1
  0060-0060 : keyboard
  0064-0064 : keyboard
  0070-0071 : rtc_cmos
  0080-008f : dma page reg
  00a0-00a1 : pic2
  00c0-00df : dma2
  00f0-00ff : fpu
  03f8-03ff : serial
0cf8-0cff : PCI conf1
0d00-ffff : PCI Bus 0000:00
`;

export const KEY_USERS = `    0:     9 8/8 3/1000000 40/25000000
`;

export const KEYS = `09fee95d I------     1 perm 1f030000     0     0 keyring   .dns_resolver: empty
0f4fc11a I------     1 perm 0f0b0000     0     0 keyring   .blacklist: empty
262f95f0 I------     1 perm 1f0b0000     0     0 keyring   .builtin_trusted_keys: empty
`;

export const INPUT_HANDLERS = `N: Number=0 Name=kbd
N: Number=1 Name=evdev Minor=64
`;

export const SYSV_MESSAGES =
  "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime" +
  "      ctime\n";

export const SYSV_SEMAPHORES = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";

export const SYSV_SHARED_MEMORY =
  "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime" +
  "      dtime      ctime                   rss                  swap\n";

/** A cipher, a hash and a generator, as /proc/crypto lists them. */
export const CRYPTO = `name         : crc32c
driver       : crc32c-lib
module       : kernel
priority     : 100
refcnt       : 3
selftest     : passed
internal     : no
type         : shash
blocksize    : 1
digestsize   : 4

name         : sha256
driver       : sha256-lib
module       : kernel
priority     : 300
refcnt       : 1
selftest     : passed
internal     : no
type         : shash
blocksize    : 64
digestsize   : 32

name         : ecb(aes)
driver       : ecb(aes-generic)
module       : kernel
priority     : 100
refcnt       : 1
selftest     : passed
internal     : no
type         : lskcipher
blocksize    : 16
min keysize  : 16
max keysize  : 32
ivsize       : 0
chunksize    : 16
statesize    : 0

name         : jitterentropy_rng
driver       : jitterentropy_rng
module       : kernel
priority     : 100
refcnt       : 1
selftest     : passed
internal     : no
type         : rng
seedsize     : 0

`;

/** Controllers and the number of their hierarchy in the old interface; 0: only in the unified one. */
export const CGROUP_CONTROLLERS = [
  "cpuset",
  "cpu",
  "cpuacct",
  "blkio",
  "memory",
  "devices",
  "freezer",
  "net_cls",
  "perf_event",
  "net_prio",
  "hugetlb",
  "pids",
] as const;
