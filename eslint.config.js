import js from "@eslint/js";
import tseslint from "typescript-eslint";

const impure = [
  ["Date", "src/ has no clock: simulated time comes in from outside."],
  ["performance", "src/ has no clock: simulated time comes in from outside."],
  ["process", "src/ knows nothing of the process that it runs in."],
  ["console", "src/ does no I/O."],
  ["setTimeout", "src/ has no clock: simulated time comes in from outside."],
  ["setInterval", "src/ has no clock: simulated time comes in from outside."],
  ["setImmediate", "src/ has no event loop."],
  ["queueMicrotask", "src/ has no event loop."],
  ["Buffer", "Buffer belongs to Node; use Uint8Array."],
  ["fetch", "src/ does no I/O."],
].map(([name, message]) => ({ name, message }));

const shared = [
  { name: "Atomics", message: "Only src/sync touches shared memory." },
  { name: "SharedArrayBuffer", message: "Only src/sync makes or views shared memory." },
];

const rawViews = {
  selector:
    "NewExpression[callee.name=/^((Big)?(Int|Uint)(8|16|32|64)(Clamped)?Array|DataView)$/] > .arguments:first-child[property.name='buffer']",
  message: "A view of another object's buffer may be shared memory; only src/sync makes such views.",
};

const moduleState = {
  selector:
    "Program > VariableDeclaration[kind='let'], Program > ExportNamedDeclaration > VariableDeclaration[kind='let']",
  message: "No module-level mutable state: threads and the explorer need it in objects that are passed in.",
};

const getters = {
  selector: "MethodDefinition[kind='get'], MethodDefinition[kind='set'], Property[kind='get'], Property[kind='set']",
  message: "No accessors here: code that may touch shared memory must be visible as a call.",
};

/** Protocol code, which the interleaving explorer transforms. */
const protocol = ["sync", "shm", "kernel", "mm", "time", "proc"].map((folder) => `src/${folder}/**/*.ts`);

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "coverage/", "mnt/"] },
  js.configs.recommended,
  {
    languageOptions: {
      globals: Object.fromEntries(
        [
          "process",
          "console",
          "URL",
          "Buffer",
          "performance",
          "setTimeout",
          "clearTimeout",
          "TextDecoder",
          "TextEncoder",
        ].map((name) => [name, "readonly"]),
      ),
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
  },
  // Without an ending, a file is linted only if it is named.
  { files: ["bin/synthproc"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommended],
    rules: {
      // The compiler knows undefined names and unused ones better.
      "no-undef": "off",
      "@typescript-eslint/no-unused-vars": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      eqeqeq: "error",
      "no-empty": ["error", { allowEmptyCatch: false }],
    },
  },
  {
    files: ["mount/**/*.ts", "test/**/*.ts"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: false }],
    },
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "no-restricted-globals": ["error", ...impure, ...shared],
      "no-restricted-properties": [
        "error",
        { object: "Math", property: "random", message: "Use the seeded generator." },
      ],
      "no-restricted-imports": ["error", { patterns: [{ group: ["node:*"], message: "src/ does no I/O." }] }],
      "no-restricted-syntax": ["error", rawViews],
    },
  },
  {
    files: protocol,
    rules: { "no-restricted-syntax": ["error", rawViews, moduleState, getters] },
  },
  {
    files: ["src/sync/**/*.ts"],
    rules: {
      "no-restricted-globals": ["error", ...impure],
      "no-restricted-syntax": ["error", moduleState, getters],
    },
  },
  // The explorer is a development tool around the kernel: it loads and transforms source files.
  {
    files: ["src/check/**/*.ts"],
    rules: {
      "no-restricted-globals": "off",
      "no-restricted-imports": "off",
      "no-restricted-properties": "off",
      "no-restricted-syntax": "off",
    },
  },
);
