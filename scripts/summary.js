/**
 * Reads vitest's JSON report and prints `N passed, N failed`; status 1 if something failed or nothing ran.
 * Usage: summary.js REPORT [MOUNTS-LEFT-BEHIND]; each mount that tests left behind counts as a failure.
 */
import { readFileSync } from "node:fs";

const [file, left = "0"] = process.argv.slice(2);
const report = JSON.parse(readFileSync(file, "utf8"));
const passed = report.numPassedTests;
const skipped = report.numPendingTests + report.numTodoTests;
// A file that can't even be loaded has no tests, but it has failed.
const brokenFiles = report.testResults.filter((one) => one.status === "failed" && one.assertionResults.length === 0);
const failed = report.numFailedTests + brokenFiles.length + Number(left);

if (skipped > 0) {
  console.log(`${skipped} skipped`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 || !report.success ? 1 : 0;
