import { expect, test } from "vitest";
import { Text } from "../../src/proc/text.ts";

const NUMBERS = [0, 1, 9, 10, 99, 100, 2147483647, 2147483648, 4294967295, 4294967296, 99999999999, 1e15, 2 ** 53 - 1];

test("decimal numbers of every length, padded and negative", () => {
  for (const number of NUMBERS) {
    for (const value of [number, -number, Math.floor(number / 3), number + 1 <= 2 ** 53 - 1 ? number + 1 : number]) {
      const digits = String(value === 0 ? 0 : value);
      expect(new Text(1).dec(value).toString()).toBe(digits);
      expect(new Text(1).dec(value, 12).toString()).toBe(digits.padStart(12));
    }
  }
  for (let digits = 1; digits <= 15; digits++) {
    expect(new Text(1).dec(10 ** digits - 1).toString()).toBe("9".repeat(digits));
    expect(new Text(1).dec(10 ** digits).toString()).toBe(`1${"0".repeat(digits)}`);
  }
});

test("hexadecimal numbers of every length, padded", () => {
  for (const value of [...NUMBERS, 0x7fff12345000, 0xabcdef, 0x100000000]) {
    expect(new Text(1).hex(value).toString()).toBe(value.toString(16));
    expect(new Text(1).hex(value, 8).toString()).toBe(value.toString(16).padStart(8, "0"));
  }
  expect(new Text(1).hex64(-1, 0x1ff).toString()).toBe("000001ffffffffff");
});
