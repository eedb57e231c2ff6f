// Runs a program of WebAssembly under node: wasm.js PROGRAM <in >out.  It imports one function, the
// system call of machine.c.
"use strict";
const fs = require("fs");

const READ = 0, WRITE = 1;
let memory;

function call(what, file, address, n) {
    if (what !== READ && what !== WRITE)
        process.exit(file);
    const part = new Uint8Array(memory.buffer, address >>> 0, n >>> 0);
    return what === READ ? fs.readSync(file, part) : fs.writeSync(file, part);
}

const program = new WebAssembly.Module(fs.readFileSync(process.argv[2]));
const instance = new WebAssembly.Instance(program, {machine: {call}});
memory = instance.exports.memory;
instance.exports.run();
