/** An open file or directory of the mount. It lives in the arena, since any worker may serve the next read. */
import { QUAD, WORD, struct } from "../shm/struct.ts";
import { MUTEX_WORDS } from "../sync/mutex.ts";

export const OPEN_FILE = struct({
  /** Held while a read is under way (seq_file.lock). */
  lock: MUTEX_WORDS,
  nodeHi: WORD,
  nodeLo: WORD,
  /** O_* of open(2). */
  flags: WORD,
  /**
   * seq_file: index is a position of the iterator's own (an address, a pid, a count), as in the kernel. Directories of
   * threads: index is the offset at which the listing stopped.
   */
  index: QUAD,
  /** seq_file: the file offset that index, from and count belong to. */
  readPos: QUAD,
  /** Bytes of `buffer` that have been read, and that have not. */
  from: WORD,
  count: WORD,
  /** Bytes that one fill of the buffer may come to; 0: a page. It grows with the records. */
  bufferSize: WORD,
  /** BYTES with what has been formatted but not read, or NULL. */
  buffer: WORD,
  /** Directories of threads: the thread that comes at `index`. */
  nextTid: WORD,
  /** The address space that was opened, pinned by mmCount, or NULL (proc_maps_private, mem_open). */
  mm: WORD,
  /** Result of a transaction file, an error text, or another BYTES object of the row's own; or NULL. */
  data: WORD,
  /** Transaction files: whether something has been written yet; see synthproc/transaction.ts. [atomic] */
  transaction: WORD,
  /** Where an answer is read: how, and the offset at which a pread(2) would go on; see synthproc/answer.ts. */
  readMode: WORD,
  preadNext: WORD,
});

/** Words of an OPEN_FILE. */
export const OPEN_FILE_WORDS = OPEN_FILE.words;
