// Does file operations as whoever runs it: takes lines of JSON, [operation, path, ...arguments], from the FIFO argv[3],
// and answers each with a line in the FIFO argv[4]. Paths are below argv[2].
import fs from "node:fs";

const [root, requests, responses] = process.argv.slice(2);

function attempt(at, body) {
  try {
    return { value: body() };
  } catch (error) {
    if (error.code === undefined) throw error;
    return { errno: error.code, at: error.at ?? at };
  }
}

function marked(at, body) {
  try {
    return body();
  } catch (error) {
    error.at = at;
    throw error;
  }
}

function opened(path, flags, at, body) {
  const fd = fs.openSync(path, flags);
  try {
    return marked(at, () => body(fd));
  } finally {
    fs.closeSync(fd);
  }
}

function drain(fd) {
  const parts = [];
  const buffer = Buffer.alloc(65536);
  for (let got = fs.readSync(fd, buffer); got > 0 && parts.length < 64; got = fs.readSync(fd, buffer)) {
    parts.push(buffer.toString("latin1", 0, got));
  }
  return parts.join("");
}

function list(path) {
  const directory = fs.opendirSync(path);
  const names = [];
  try {
    marked("read", () => {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) names.push(entry.name);
    });
  } finally {
    directory.closeSync();
  }
  return names;
}

const operations = {
  lstat: (path) => {
    const { mode, uid, gid, nlink, size, ino } = fs.lstatSync(path);
    return { mode, uid, gid, nlink, size, ino };
  },
  cat: (path) => opened(path, fs.constants.O_RDONLY, "read", drain),
  open: (path, flags) => opened(path, flags, "open", () => null),
  write: (path, text) =>
    opened(path, fs.constants.O_WRONLY, "write", (fd) => fs.writeSync(fd, Buffer.from(text, "latin1"))),
  readlink: (path) => fs.readlinkSync(path),
  ls: list,
  access: (path, mask) => fs.accessSync(path, mask) ?? null,
};

const input = fs.openSync(requests, "r");
const output = fs.openSync(responses, "w");
const chunk = Buffer.alloc(65536);
let pending = "";
for (let got = fs.readSync(input, chunk); got > 0; got = fs.readSync(input, chunk)) {
  pending += chunk.toString("utf8", 0, got);
  const lines = pending.split("\n");
  pending = lines.pop();
  for (const line of lines) {
    const [name, path, ...rest] = JSON.parse(line);
    const answer = JSON.stringify(attempt("open", () => operations[name](`${root}/${path}`, ...rest)));
    fs.writeSync(output, `${answer}\n`);
  }
}
