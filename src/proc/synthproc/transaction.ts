/**
 * Transaction files (simple_transaction_*, fs/libfs.c, as selinuxfs uses them): open, write the arguments once, read the
 * result. Each open file is one transaction, whichever thread serves its write and its reads.
 *
 * The errno of a call is the errno of the write; the reason can then be read where a result would be.
 */
import { EBUSY, EFBIG, EINVAL } from "../../kernel/errno.ts";
import { PAGE_SIZE } from "../../kernel/layout.ts";
import { OPEN_FILE } from "../../kernel/open-file.ts";
import type { Context, RawRow } from "../row.ts";
import { PARALLEL_WRITES_SIZE } from "../row.ts";
import { WOULD_WAIT } from "../vfs.ts";
import type { Answer } from "./answer.ts";
import { dropAnswer, hasAnswer, keepAnswer, readAnswer, writtenText } from "./answer.ts";

/** Longest arguments, in bytes: a page less the kernel's own header, and less a NUL (SIMPLE_TRANSACTION_LIMIT). */
const MAX_ARGUMENTS = PAGE_SIZE - 8 - 1;

/** Of OPEN_FILE.transaction: nothing has been written; somebody's write is being carried out, or has been. */
const OPEN = 0;
const CLAIMED = 1;

/** A transaction file. The caller's own credentials count, so that everybody may write to it. */
export interface Transaction {
  readonly name: string;
  /** What is written to it. */
  readonly usage: string;
  readonly doc: string;
  /** @param words the arguments, one byte a character */
  readonly run: (c: Context, words: readonly string[]) => Answer;
}

/** Arguments that make no sense: EINVAL, with this sentence. */
export class ArgumentError extends Error {
  override readonly name = "ArgumentError";
}

/** The row of a transaction file. */
export function transactionRow(transaction: Transaction): RawRow {
  return {
    type: "raw",
    name: transaction.name,
    mode: 0o666,
    size: PARALLEL_WRITES_SIZE,
    separate: true,
    doc: transaction.doc,
    read: readResult,
    write: (c, offset, data) => transact(c, transaction, offset, data),
    release: dropAnswer,
  };
}

/** Before the write there is nothing to read, and no harm in it (simple_transaction_read). */
function readResult(c: Context, offset: number, dest: Uint8Array): number {
  return hasAnswer(c) ? readAnswer(c, offset, dest) : 0;
}

/** One write of an open file is carried out, however many come at once (simple_transaction_get). */
function transact(c: Context, transaction: Transaction, offset: number, data: Uint8Array): number {
  if (data.length > MAX_ARGUMENTS) return -EFBIG;
  const { m } = c.k;
  if (m.compareExchange(c.file + OPEN_FILE.transaction, OPEN, CLAIMED) !== OPEN) return -EBUSY;
  const answer = perform(c, transaction, data);
  if (answer.errno === WOULD_WAIT) {
    // It hasn't begun: it will come again, or was interrupted, and then another may be the one.
    m.store(c.file + OPEN_FILE.transaction, OPEN);
    return WOULD_WAIT;
  }
  keepAnswer(c, answer, offset, data.length);
  return answer.errno === 0 ? data.length : -answer.errno;
}

function perform(c: Context, transaction: Transaction, data: Uint8Array): Answer {
  const { name, usage } = transaction;
  try {
    const text = writtenText(data, true);
    if (text === null) throw new ArgumentError("there is a NUL byte in it");
    return transaction.run(c, text.split(/[ \t\n\v\f\r]+/).filter(Boolean));
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    return { errno: EINVAL, text: `${error.message}; usage: ${name} ${usage}` };
  }
}
