/** What the builder tells the mutators: plain data, which can be cloned between threads. */
export interface Built {
  /** The seed of the simulation. */
  readonly seed: number;
  /**
   * Pids by group (index as in `Scenario.groups`), in the order of the members. With `count` processes under each process
   * of the parent group, member i is a child of the parent group's member floor(i / count).
   */
  readonly pids: readonly (readonly number[] | Int32Array)[];
}
