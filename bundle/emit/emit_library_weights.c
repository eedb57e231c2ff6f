/*
 * The file with a library's weights: where it is looked for, and what of it is checked.
 *
 * A relative path is seen from where the program runs.  Where there is nothing, the file is looked
 * for under its own name in the folder of the library, or of the program that this is linked into:
 * so what was copied together is found together.  The folder is what dladdr() tells, where the C
 * library has that (since glibc 2.34; a static program may be without it).
 */
#include <string.h>

#include "bundle/emit/emit_library_internal.h"

/* <fcntl.h>, <unistd.h> and <sys/mman.h> of Linux on every architecture that is known here. Opening
   does not wait for the writer of a pipe. */
enum {
    LINUX_O_FLAGS = 0x80000 | 0x800, /* O_RDONLY | O_CLOEXEC | O_NONBLOCK */
    LINUX_SEEK_END = 2,
    LINUX_PROT_READ = 1,
    LINUX_MAP_PRIVATE = 2
};

static LLVMValueRef open_file(struct emit *e, LLVMValueRef path)
{
    LLVMTypeRef params[2] = {e->ptr, e->i32};
    LLVMValueRef fn = LLVMGetNamedFunction(e->mod, "open");
    if (!fn)
        fn = LLVMAddFunction(e->mod, "open", LLVMFunctionType(e->i32, params, 2, /* variadic */ 1));
    LLVMValueRef args[2] = {path, plain_i32(e, LINUX_O_FLAGS)};
    return plain_call(e, fn, args, 2);
}

static void close_file(struct emit *e, LLVMValueRef fd)
{
    plain_call_extern(e, "close", e->i32, &fd, 1);
}

static LLVMValueRef map_file(struct emit *e, LLVMValueRef fd, LLVMValueRef size)
{
    LLVMValueRef args[6] = {LLVMConstNull(e->ptr),           size, plain_i32(e, LINUX_PROT_READ),
                            plain_i32(e, LINUX_MAP_PRIVATE), fd,   emit_index(e, 0)};
    return plain_call_extern(e, "mmap", e->ptr, args, 6);
}

/* Its size is asked for by seeking: fstat is no function in older C libraries. */
static LLVMValueRef size_of_file(struct emit *e, LLVMValueRef fd)
{
    LLVMValueRef args[3] = {fd, emit_index(e, 0), plain_i32(e, LINUX_SEEK_END)};
    return plain_call_extern(e, "lseek", e->index, args, 3);
}

/* The 8 bytes as they lie in memory: the low one first. */
static uint64_t magic(void)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)(unsigned char)SHEAF_WEIGHTS_MAGIC[i] << 8 * i;
    return v;
}

/* Whether the bytes are the weights that the code was made with, or others of the same layout. */
static LLVMValueRef are_weights(struct library *l, LLVMValueRef data, uint64_t n_bytes)
{
    struct emit *e = &l->e;
    LLVMValueRef digest = emit_digest(e, data, n_bytes);
    if (!l->req->weights_layout)
        return plain_equals(e, digest, plain_i64(e, l->req->weights_digest));
    LLVMValueRef trailer = plain_at(e, data, emit_index(e, (int64_t)n_bytes));
    const struct {
        size_t at;
        LLVMValueRef want;
    } fields[] = {
        {offsetof(struct sheaf_weights_trailer, magic), plain_i64(e, magic())},
        {offsetof(struct sheaf_weights_trailer, layout_id), plain_i64(e, l->req->weights_layout)},
        {offsetof(struct sheaf_weights_trailer, digest64), digest},
    };
    LLVMValueRef all = LLVMConstInt(e->i1, 1, 0);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        LLVMValueRef at = plain_at(e, trailer, emit_index(e, (int64_t)fields[i].at));
        LLVMValueRef same = plain_equals(e, plain_load(e, e->i64, at), fields[i].want);
        all = LLVMBuildAnd(e->b, all, same, "");
    }
    return all;
}

/* int map(int fd): fd is closed, whatever comes of it. */
static LLVMValueRef emit_map(struct library *l)
{
    struct emit *e = &l->e;
    uint64_t n_bytes = (uint64_t)l->fn->program->area_bytes[AREA_CONSTANT];
    uint64_t n_trailer = l->req->weights_layout ? sizeof(struct sheaf_weights_trailer) : 0;
    LLVMValueRef size = emit_index(e, (int64_t)(n_bytes + n_trailer));
    LLVMValueRef fn =
        plain_function(e, library_name(l, "map"), e->i32, &e->i32, 1, LLVMInternalLinkage);
    LLVMValueRef io = plain_i32(e, SHEAF_ERROR_IO), format = plain_i32(e, SHEAF_ERROR_FORMAT);
    LLVMValueRef fd = plain_param(e, 0);

    LLVMBasicBlockRef wrong = plain_block(e), damaged = plain_block(e);
    LLVMValueRef found = size_of_file(e, fd);
    plain_branch_if(e, LLVMBuildICmp(e->b, LLVMIntNE, found, size, ""), wrong);
    LLVMValueRef data = map_file(e, fd, size);
    close_file(e, fd);
    LLVMValueRef failed = LLVMConstIntToPtr(emit_index(e, -1), e->ptr);
    plain_return_if(e, plain_equals(e, data, failed), plain_i32(e, SHEAF_ERROR_MEMORY));
    LLVMValueRef right = are_weights(l, data, n_bytes);
    plain_branch_if(e, LLVMBuildNot(e->b, right, ""), damaged);
    LLVMBuildStore(e->b, data, library_field(l, LIBRARY_CONSTANTS));
    LLVMBuildRet(e->b, plain_i32(e, SHEAF_OK));

    LLVMPositionBuilderAtEnd(e->b, wrong);
    close_file(e, fd);
    LLVMValueRef no_size = LLVMBuildICmp(e->b, LLVMIntSLT, found, emit_index(e, 0), "");
    LLVMBuildRet(e->b, LLVMBuildSelect(e->b, no_size, io, format, ""));

    LLVMPositionBuilderAtEnd(e->b, damaged);
    LLVMValueRef args[2] = {data, size};
    plain_call_extern(e, "munmap", e->i32, args, 2);
    LLVMBuildRet(e->b, format);
    return fn;
}

/* ---- where it is ---- */

enum { PATH_BYTES = 4096 }; /* PATH_MAX of Linux */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The path of what holds this code, in a Dl_info of <dlfcn.h>, of which it is the first field; -1
   is returned where it is not known. */
static LLVMValueRef path_of_code(struct emit *e, LLVMValueRef code)
{
    LLVMTypeRef params[2] = {e->ptr, e->ptr};
    LLVMValueRef dladdr = LLVMAddFunction(e->mod, "dladdr", LLVMFunctionType(e->i32, params, 2, 0));
    LLVMSetLinkage(dladdr, LLVMExternalWeakLinkage);
    LLVMValueRef none = plain_i32(e, -1);
    LLVMTypeRef info_type = LLVMArrayType2(e->ptr, 4);
    LLVMValueRef info = LLVMBuildAlloca(e->b, info_type, "");
    plain_return_if(e, plain_is_null(e, dladdr), none);
    LLVMValueRef args[2] = {code, info};
    LLVMValueRef known = plain_call(e, dladdr, args, 2);
    plain_return_if(e, plain_equals(e, known, plain_i32(e, 0)), none);
    LLVMValueRef path = LLVMBuildLoad2(e->b, e->ptr, info, "");
    plain_return_if(e, plain_is_null(e, path), none);
    return path;
}

/* int beside(void): opens the file in the folder of the library, -1 where that cannot be done. */
static LLVMValueRef emit_beside(struct library *l)
{
    struct emit *e = &l->e;
    const char *file = last_part(l->req->weights_path);
    size_t n_file = strlen(file) + 1;
    LLVMValueRef none = plain_i32(e, -1);
    LLVMValueRef fn =
        plain_function(e, library_name(l, "beside"), e->i32, NULL, 0, LLVMInternalLinkage);
    LLVMValueRef buffer = LLVMBuildAlloca(e->b, LLVMArrayType2(e->i8, PATH_BYTES), "");
    LLVMValueRef path = path_of_code(e, fn);
    LLVMValueRef find[2] = {path, plain_i32(e, '/')};
    LLVMValueRef slash = plain_call_extern(e, "strrchr", e->ptr, find, 2);
    plain_return_if(e, plain_is_null(e, slash), none);
    LLVMValueRef from = LLVMBuildPtrToInt(e->b, path, e->index, "");
    LLVMValueRef to = LLVMBuildPtrToInt(e->b, slash, e->index, "");
    LLVMValueRef n_folder = LLVMBuildSub(e->b, to, from, "");
    n_folder = LLVMBuildAdd(e->b, n_folder, emit_index(e, 1), "");
    LLVMValueRef room = emit_index(e, PATH_BYTES - (int64_t)n_file);
    plain_return_if(e, LLVMBuildICmp(e->b, LLVMIntUGT, n_folder, room, ""), none);
    LLVMBuildMemCpy(e->b, buffer, 1, path, 1, n_folder);
    LLVMValueRef name = LLVMBuildGlobalString(e->b, file, "");
    LLVMBuildMemCpy(e->b, plain_at(e, buffer, n_folder), 1, name, 1,
                    emit_index(e, (int64_t)n_file));
    LLVMBuildRet(e->b, open_file(e, buffer));
    return fn;
}

LLVMValueRef library_emit_load(struct library *l)
{
    struct emit *e = &l->e;
    const char *baked = l->req->weights_path;
    bool is_relative = *baked != '/';
    LLVMValueRef map = emit_map(l), beside = is_relative ? emit_beside(l) : NULL;
    LLVMValueRef fn =
        plain_function(e, library_name(l, "load"), e->i32, &e->ptr, 1, LLVMInternalLinkage);
    LLVMValueRef given = plain_param(e, 0), text = LLVMBuildGlobalString(e->b, baked, "");
    LLVMValueRef is_baked = plain_is_null(e, given);
    LLVMValueRef fd = open_file(e, LLVMBuildSelect(e->b, is_baked, text, given, ""));
    LLVMValueRef failed = LLVMBuildICmp(e->b, LLVMIntSLT, fd, plain_i32(e, 0), "");
    if (beside) {
        LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
        LLVMBasicBlockRef search = plain_block(e), opened = plain_block(e);
        LLVMBuildCondBr(e->b, LLVMBuildAnd(e->b, failed, is_baked, ""), search, opened);
        LLVMPositionBuilderAtEnd(e->b, search);
        LLVMValueRef other = plain_call(e, beside, NULL, 0);
        plain_go(e, opened);
        LLVMValueRef either = LLVMBuildPhi(e->b, e->i32, "");
        LLVMValueRef values[2] = {fd, other};
        LLVMBasicBlockRef from[2] = {here, search};
        LLVMAddIncoming(either, values, from, 2);
        fd = either;
        failed = LLVMBuildICmp(e->b, LLVMIntSLT, fd, plain_i32(e, 0), "");
    }
    plain_return_if(e, failed, plain_i32(e, SHEAF_ERROR_IO));
    LLVMBuildRet(e->b, plain_call(e, map, &fd, 1));
    return fn;
}
