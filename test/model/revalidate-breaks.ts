/** Which scenario finds each deliberate mistake of test/stress/revalidate-breaks.ts. */
import type { Finding } from "./finding.ts";

export const REVALIDATE_FINDINGS: readonly Finding[] = [
  { name: "revalidate: a node answers for whoever has its pid", scenario: "revalidate/reuse" },
  { name: "revalidate: likewise with references", scenario: "revalidate/reuse" },
  { name: "revalidate: user and group are of two moments", scenario: "revalidate/setuid" },
  { name: "revalidate: credentials are freed without a grace period", scenario: "revalidate/setuid" },
  { name: "revalidate: tasks are freed without a grace period", scenario: "revalidate/reap" },
  {
    name: "revalidate: which life it is is asked when the pid may have been given out again",
    scenario: "lookup/reuse",
  },
  { name: "revalidate: which life it is is asked before the task is looked up", scenario: "revalidate/reuse" },
  { name: "revalidate: a walk keeps its reference on the task", scenario: "revalidate/reap" },
  { name: "revalidate: a walk keeps its reference on /proc", scenario: "revalidate/reap" },
  { name: "revalidate: a name of map_files is known by its start alone", scenario: "lookup/map-files-split" },
];
