/*
 * object_wasm.h: the symbols of WebAssembly objects: records in the custom section "linking"
 * (WebAssembly/tool-conventions, Linking.md, version 2).  As object.h, a view of bytes that may be
 * anything.
 */
#ifndef SHEAF_BUNDLE_READ_OBJECT_WASM_H
#define SHEAF_BUNDLE_READ_OBJECT_WASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wasm_symbol {
    const char *name; /* `length` characters, no zero byte behind */
    size_t length;
    bool is_undefined; /* needed from elsewhere; not what every object gets from the linker */
    bool is_local, is_function;
};

bool object_wasm_is(const void *data, size_t size);

/* Calls fn for every symbol.  Returns NULL, or why the bytes are no object; fn may have been called
   for some symbols by then. */
typedef void object_wasm_fn(const struct wasm_symbol *symbol, void *arg);
const char *object_wasm_each(const void *data, size_t size, object_wasm_fn *fn, void *arg);

#endif
