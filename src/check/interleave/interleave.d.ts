declare module "*?interleave" {
  /** The program of the scenario file and the model. */
  export const program: import("./load.ts").LoadedProgram;
}
