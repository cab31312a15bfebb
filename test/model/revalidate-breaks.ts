/** Which scenario finds each deliberate mistake of test/stress/revalidate-breaks.ts. */
import type { Finding } from "./finding.ts";

export const REVALIDATE_FINDINGS: readonly Finding[] = [
  { name: "revalidate: a node answers for whoever has its pid", scenario: "revalidate/reuse" },
  { name: "revalidate: likewise with references", scenario: "revalidate/reuse" },
  { name: "revalidate: user and group are of two moments", scenario: "revalidate/setuid" },
  { name: "revalidate: credentials are freed without a grace period", scenario: "revalidate/setuid" },
  { name: "revalidate: tasks are freed without a grace period", scenario: "revalidate/reap" },
  {
    name: "revalidate: which life it is is asked of the task, whose pid may be another by now",
    scenario: "lookup/exec-of-thread",
  },
  { name: "revalidate: no second look at a pid that is just handed over", scenario: "revalidate/exec-of-thread" },
  { name: "revalidate: a walk keeps its reference on the task", scenario: "revalidate/reap" },
  { name: "revalidate: a walk keeps its reference on /proc", scenario: "revalidate/reap" },
  { name: "revalidate: a name of map_files is known by its start alone", scenario: "lookup/map-files-split" },
];
