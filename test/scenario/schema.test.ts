/** The published schema itself. */
import { Ajv } from "ajv";
import { expect, it } from "vitest";
import schema from "../../src/mutate/scenario.schema.json" with { type: "json" };

it("is a JSON schema, which commands therefore need not check at each start", () => {
  const ajv = new Ajv({ strict: false });
  expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
  expect(ajv.validateSchema({ ...schema, type: 7 })).toBe(false);
});
