/** Node ids: what goes in comes out, distinct things get distinct ids, and nothing that comes in does harm. */
import { describe, expect, test } from "vitest";
import { Random } from "../../src/kernel/random.ts";
import { fdInode, mapInode, processInode } from "../../src/proc/fs/inode.ts";
import {
  NodeId,
  Tag,
  decodeNode,
  encodeFd,
  encodeMap,
  encodeOwn,
  encodeRow,
  encodeTarget,
} from "../../src/proc/fs/node-id.ts";

const id = new NodeId();
const out = { nodeHi: 0, nodeLo: 0 };

function isUnsigned(): boolean {
  return out.nodeHi >= 0 && out.nodeLo >= 0 && out.nodeHi < 2 ** 32 && out.nodeLo < 2 ** 32;
}

describe("round trips", () => {
  const random = new Random(7);

  test("rows, with any pid and generation", () => {
    for (let i = 0; i < 2000; i++) {
      const [row, tid, generation] = [1 + random.below(4095), random.below(4194304), random.u32()];
      encodeRow(out, row, tid, generation);
      expect(isUnsigned()).toBe(true);
      expect(decodeNode(out.nodeHi, out.nodeLo, id)).toBe(true);
      expect([id.tag, id.row, id.tid]).toEqual([Tag.row, row, tid]);
      expect((id.generation ^ generation) & id.generationMask).toBe(0);
      expect(((id.generation ^ (generation + 1)) & id.generationMask) === 0).toBe(false);
    }
  });

  test("descriptors", () => {
    for (const tag of [Tag.fd, Tag.fdOfThread, Tag.fdinfo, Tag.fdinfoOfThread]) {
      for (let i = 0; i < 500; i++) {
        const [fd, tid, generation] = [random.below(1 << 20), 1 + random.below(4194303), random.u32()];
        encodeFd(out, tag, fd, tid, generation);
        expect(isUnsigned()).toBe(true);
        expect(decodeNode(out.nodeHi, out.nodeLo, id)).toBe(true);
        expect([id.tag, id.index, id.tid]).toEqual([tag, fd, tid]);
        expect((id.generation ^ generation) & id.generationMask).toBe(0);
      }
    }
  });

  test("mappings, up to the end of the address space", () => {
    for (const address of [0, 0x400000, 0x7ffff7ff0000, 2 ** 47 - 4096, 127 * 4096, 128 * 4096]) {
      encodeMap(out, address, 4194303, 5);
      expect(isUnsigned()).toBe(true);
      expect(decodeNode(out.nodeHi, out.nodeLo, id)).toBe(true);
      expect([id.tag, id.index, id.tid, id.generation]).toEqual([Tag.map, address, 4194303, 5]);
    }
  });

  test("targets and own pids", () => {
    encodeTarget(out, 3, 4026531836, 4194303);
    expect(decodeNode(out.nodeHi, out.nodeLo, id)).toBe(true);
    expect([id.tag, id.row, id.index, id.tid]).toEqual([Tag.target, 3, 4026531836, 4194303]);
    encodeOwn(out, 4194303);
    expect(decodeNode(out.nodeHi, out.nodeLo, id)).toBe(true);
    expect([id.tag, id.index]).toEqual([Tag.own, 4194303]);
  });

  test("the root is 0:1, as FUSE has it", () => {
    encodeRow(out, 0, 0, 0);
    expect([out.nodeHi, out.nodeLo]).toEqual([0, 1]);
    expect(decodeNode(0, 1, id)).toBe(true);
    expect([id.tag, id.row, id.tid]).toEqual([Tag.row, 0, 0]);
  });
});

test("ids of different nodes differ", () => {
  const seen = new Set<string>();
  const add = (): void => {
    const text = `${out.nodeHi}:${out.nodeLo}`;
    expect(seen.has(text)).toBe(false);
    seen.add(text);
  };
  for (const tid of [1, 2, 300, 4194303]) {
    for (const generation of [0, 1, 2, 7]) {
      for (let row = 1; row < 40; row++) {
        encodeRow(out, row, tid, generation);
        add();
      }
      for (let fd = 0; fd < 40; fd++) {
        {
          encodeFd(out, Tag.fd, fd, tid, generation);
          add();
        }
        {
          encodeFd(out, Tag.fdinfoOfThread, fd, tid, generation);
          add();
        }
      }
      for (let page = 0; page < 300; page += 7) {
        encodeMap(out, page * 4096, tid, generation);
        add();
      }
    }
    for (let inode = 0; inode < 40; inode++) {
      encodeTarget(out, 1, inode, tid);
      add();
    }
  }
});

test("any 64 bits decode to something or are refused", () => {
  const random = new Random(11);
  let valid = 0;
  for (let i = 0; i < 100_000; i++) {
    if (decodeNode(random.u32(), random.u32(), id)) valid++;
    expect(id.tid).toBeLessThan(4194304);
  }
  expect(valid).toBeGreaterThan(0);
  expect(valid).toBeLessThan(100_000);
  expect(decodeNode(0, 0, id)).toBe(false);
  expect(decodeNode(0, 2, id)).toBe(false);
  expect(decodeNode(0xffffffff, 0xffffffff, id)).toBe(false);
});

test("inode numbers of what exists at the same time differ, and stay below the static ones or above 2^32", () => {
  const seen = new Set<bigint>();
  const halves = { inoHi: 0, inoLo: 0 };
  const add = (): void => {
    const value = (BigInt(halves.inoHi) << 32n) + BigInt(halves.inoLo);
    expect(seen.has(value)).toBe(false);
    expect(value < 4026531840n || value >= 2n ** 32n).toBe(true);
    seen.add(value);
  };
  for (const tid of [1, 2, 511, 512, 4194303]) {
    for (let row = 0; row < 512; row += 13) {
      processInode(halves, row, tid);
      add();
    }
    for (let fd = 0; fd < 100; fd += 9)
      for (let kind = 0; kind < 4; kind++) {
        fdInode(halves, fd, tid, kind);
        add();
      }
    for (const address of [0, 4096, 2 ** 44, 2 ** 47 - 4096]) {
      mapInode(halves, address, tid);
      add();
    }
  }
});
