/** What may go wrong on purpose while /proc is read: asked by the file system, answered by whoever plays chance. */
export interface FaultHooks {
  /**
   * A file or directory of a process is about to be opened: the process may end right now, and the open then finds
   * nothing.
   * @returns 0, or a negated errno that the open shall answer
   */
  beforeOpen(tgid: number): number;
  /**
   * An open file of a process is about to be read. The process may end, or execute another program.
   * @param first true for the first read since the open
   * @param length bytes that the reader asks for
   * @returns how many bytes shall be read at most (`length`, or fewer for a short read), or a negated errno
   */
  beforeRead(tgid: number, first: boolean, length: number): number;
}
