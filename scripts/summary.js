/** Reads vitest's JSON report and prints `N passed, N failed`; status 1 if a test failed or none ran. */
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const passed = report.numPassedTests;
const skipped = report.numPendingTests + report.numTodoTests;
// A file that can't even be loaded has no tests, but it has failed.
const brokenFiles = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
const failed = report.numFailedTests + brokenFiles.length;

if (skipped > 0) {
  console.log(`${skipped} skipped`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 || !report.success ? 1 : 0;
