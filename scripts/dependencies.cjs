/** Which way imports may point (`npm run check`; the arrows are explained in CONTRIBUTING.md). */
const rule = (name, comment, from, to, fromExcept) => ({
  name,
  comment,
  severity: "error",
  from: { path: from, ...(fromExcept ? { pathNot: fromExcept } : {}) },
  to,
});

module.exports = {
  forbidden: [
    rule("no-cycles", "A cycle hides which part knows which.", "^(src|mount)/", {
      circular: true,
      viaOnly: { dependencyTypesNot: ["type-only"] },
    }),
    rule("src-below-mount", "The simulated kernel knows nothing of how it is exposed.", "^src/", { path: "^mount/" }),
    rule(
      "src-without-node",
      "The simulated kernel does no I/O.",
      "^src/",
      { dependencyTypes: ["core"] },
      "^src/check/",
    ),
    rule(
      "check-is-for-development",
      "Nothing but check and the virtual CPUs depends on oracles or the explorer.",
      "^(src|mount)/",
      { path: "^src/check/" },
      "^(src/check/|mount/cli/check|mount/check/|mount/bench/virtual/)",
    ),
    rule("kernel-below-proc", "The kernel model doesn't know /proc.", "^src/(kernel|mm|time|sync|shm)/", {
      path: "^src/(proc|mutate)/",
    }),
    rule("proc-below-mutate", "The readers don't know who changes the tables.", "^src/proc/", { path: "^src/mutate/" }),
    rule("shm-above-sync-only", "Allocation builds on sync alone.", "^src/shm/", { path: "^src/(?!shm/|sync/)" }),
    rule("sync-at-the-bottom", "Synchronisation imports nothing above it.", "^src/sync/", { path: "^src/(?!sync/)" }),
    rule("no-tests-in-product", "What ships doesn't import tests.", "^(src|mount)/", { path: "^test/" }),
    rule("no-unresolved", "An import that leads nowhere.", "^(src|mount|test)/", {
      couldNotResolve: true,
      pathNot: "^(fuse-native|vitest/config)$",
    }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { extensions: [".ts", ".js", ".cjs", ".mjs", ".json"] },
  },
};
