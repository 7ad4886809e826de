// Builds the module of an example: node examples/build.mjs NAME [output.wasm [output.wat]], from anywhere; needs `make deps`.
//
// The pieces that every module has in common are the raid's, in raid/assembly/channel. They begin each refusal with
// the NAME of raid/assembly/name.ts, so a module of another name gives its own file in that place.

import { readFile, writeFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const examples = dirname(fileURLToPath(import.meta.url));
const [name, wasm = resolve(examples, name, `${name}.wasm`), wat] = process.argv.slice(2);
const root = resolve(examples, "..");
const common = resolve(examples, "raid/assembly/name.ts");
const own = resolve(examples, name, "assembly/name.ts");

async function read(file, base) {
  const path = resolve(base, file);
  try {
    return await readFile(path === common ? own : path, "utf8");
  } catch {
    return null; // the compiler asks for files that need not exist
  }
}

const output = { [`${name}.wasm`]: wasm, [`${name}.wat`]: wat };
const { error, stderr } = await asc.main(
  [
    relative(root, resolve(examples, name, "assembly/index.ts")),
    "--outFile", `${name}.wasm`,
    ...(wat ? ["--textFile", `${name}.wat`] : []),
    "--runtime", "stub", "-O3s", "--noAssert",
    "--initialMemory", "1", "--maximumMemory", "4",
    "--use", "abort=examples/raid/assembly/channel/host/abort",
    "--baseDir", root,
  ],
  { readFile: read, writeFile: (file, content) => writeFile(output[file], content), listFiles: () => [] },
);
if (error) {
  console.error(stderr.toString() || error.message);
  process.exit(1);
}
