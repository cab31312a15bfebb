/**
 * The FUSE wire format (protocol 7.45, include/uapi/linux/fuse.h): offsets, sizes and flags.
 *
 * Offsets named `W_…` count 32-bit words, `…_SIZE` and `…_BYTES` count bytes. Structs are read and written through
 * Int32Array views, 64-bit fields as two words, low word first: FUSE uses the host's byte order, and only
 * little-endian hosts are supported.
 */

export const FUSE_MAJOR = 7;
/** The newest minor version whose messages this server knows. */
export const FUSE_MINOR = 45;
/** The oldest one it works with: the first with max_pages in the INIT reply (Linux 4.20). */
export const FUSE_OLDEST_MINOR = 28;
/** The first minor version with FUSE_NOTIFY_INC_EPOCH. */
export const FUSE_MINOR_EPOCH = 44;

export const ROOT_ID = 1;
export const PAGE_SIZE = 4096;

/** Largest WRITE payload; longer writes arrive in pieces. */
export const MAX_WRITE = 65536;
/** Pages of one READ: with 256, a file of 1 MiB takes 3 messages instead of 10. */
export const MAX_PAGES = 256;
/** Largest READ payload. */
export const MAX_READ = MAX_PAGES * PAGE_SIZE;

// struct fuse_in_header
export const IN_HEADER_SIZE = 40;
export const W_LEN = 0;
export const W_OPCODE = 1;
export const W_UNIQUE = 2;
export const W_NODE = 4;
export const W_UID = 6;
export const W_GID = 7;
export const W_PID = 8;
/** First word of a request's body. */
export const W_BODY = 10;

// struct fuse_out_header
export const OUT_HEADER_SIZE = 16;
export const W_OUT_LEN = 0;
export const W_OUT_ERROR = 1;
export const W_OUT_UNIQUE = 2;
/** First word of a reply's body. */
export const W_OUT = 4;

/** The request buffer: the kernel wants room for a full WRITE, and for at least 8 KiB. */
export const REQUEST_BUFFER_SIZE = MAX_WRITE + PAGE_SIZE;
/** The reply buffer: a full READ and its header. */
export const REPLY_BUFFER_SIZE = MAX_READ + PAGE_SIZE;
/** Longest name of a directory entry. */
export const NAME_MAX = 255;

// INIT flags
export const INIT_ASYNC_READ = 1 << 0;
export const INIT_ATOMIC_O_TRUNC = 1 << 3;
export const INIT_BIG_WRITES = 1 << 5;
export const INIT_DO_READDIRPLUS = 1 << 13;
export const INIT_READDIRPLUS_AUTO = 1 << 14;
export const INIT_PARALLEL_DIROPS = 1 << 18;
export const INIT_ABORT_ERROR = 1 << 21;
export const INIT_MAX_PAGES = 1 << 22;

// Body sizes of replies
const ATTR_WORDS = 22;
export const ENTRY_OUT_WORDS = 10 + ATTR_WORDS;
export const ENTRY_OUT_SIZE = ENTRY_OUT_WORDS * 4;
export const ATTR_OUT_SIZE = (4 + ATTR_WORDS) * 4;
export const OPEN_OUT_SIZE = 16;
export const WRITE_OUT_SIZE = 8;
export const STATFS_OUT_SIZE = 80;
export const INIT_OUT_SIZE = 64;
export const GETXATTR_OUT_SIZE = 8;
export const IOCTL_OUT_SIZE = 16;
/** struct fuse_dirent before its name. */
export const DIRENT_SIZE = 24;

// FOPEN flags of an open reply
export const FOPEN_DIRECT_IO = 1 << 0;
export const FOPEN_NONSEEKABLE = 1 << 2;
/** Direct writes within the file's size don't exclude each other (since Linux 6.2). */
export const FOPEN_PARALLEL_DIRECT_WRITES = 1 << 6;

/** GETATTR came through an open file, whose handle it carries. */
export const GETATTR_FH = 1 << 0;

// Notifications (a reply header with unique 0 and one of these in its error field)
export const NOTIFY_INVAL_ENTRY = 3;
export const NOTIFY_DELETE = 6;
export const NOTIFY_INC_EPOCH = 8;

// Opcodes that have a row in opcodes.ts
export const LOOKUP = 1;
export const FORGET = 2;
export const GETATTR = 3;
export const SETATTR = 4;
export const READLINK = 5;
export const SYMLINK = 6;
export const MKNOD = 8;
export const MKDIR = 9;
export const UNLINK = 10;
export const RMDIR = 11;
export const RENAME = 12;
export const LINK = 13;
export const OPEN = 14;
export const READ = 15;
export const WRITE = 16;
export const STATFS = 17;
export const RELEASE = 18;
export const FSYNC = 20;
export const SETXATTR = 21;
export const GETXATTR = 22;
export const LISTXATTR = 23;
export const REMOVEXATTR = 24;
export const FLUSH = 25;
export const INIT = 26;
export const OPENDIR = 27;
export const READDIR = 28;
export const RELEASEDIR = 29;
export const FSYNCDIR = 30;
export const ACCESS = 34;
export const CREATE = 35;
export const INTERRUPT = 36;
export const DESTROY = 38;
export const IOCTL = 39;
export const POLL = 40;
export const NOTIFY_REPLY = 41;
export const BATCH_FORGET = 42;
export const READDIRPLUS = 44;
export const RENAME2 = 45;
export const LSEEK = 46;
export const STATX = 52;
/** One more than the largest opcode that has a row of its own. */
export const OPCODE_LIMIT = 53;
