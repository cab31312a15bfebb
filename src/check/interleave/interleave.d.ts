declare module "*?interleave" {
  // A declaration of modules by pattern can't import.
  // eslint-disable-next-line @typescript-eslint/consistent-type-imports
  export const program: import("./load.ts").LoadedProgram;
}
