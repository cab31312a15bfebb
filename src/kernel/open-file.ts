/** An open file or directory of the mount. It lives in the arena, since any worker may serve the next read. */
import { QUAD, WORD, struct } from "../shm/struct.ts";
import { RWSEM_WORDS } from "../sync/rwsem.ts";

export const OPEN_FILE = struct({
  /** Held while a read is under way (seq_file.lock). */
  lock: RWSEM_WORDS,
  nodeHi: WORD,
  nodeLo: WORD,
  /** open(2) flags, and who opened it. */
  flags: WORD,
  uid: WORD,
  gid: WORD,
  pid: WORD,
  /** seq_file: index is a position of the iterator's own (an address, a pid, a count), as in the kernel. */
  index: QUAD,
  readPos: QUAD,
  from: WORD,
  count: WORD,
  bufferSize: WORD,
  /** BYTES-sized block of the byte heap with what has been formatted but not read, or NULL. */
  buffer: WORD,
  /** proc_maps_private: last position; the mm is pinned by mmCount. */
  lastPos: QUAD,
  mm: WORD,
  /** Result of a transaction file, an error text, or another BYTES object of the row's own; or NULL. */
  data: WORD,
  extra: 4,
});

/** Words of an OPEN_FILE. */
export const OPEN_FILE_WORDS = OPEN_FILE.words;
