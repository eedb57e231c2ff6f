/* Constant data of the target: fields, structs, strings. */
#include <string.h>

#include "bundle/emit/emit_internal.h"

void edata_put(struct edata *f, LLVMValueRef v)
{
    f->v[f->n++] = v;
}

LLVMValueRef edata_constant(struct emit *e, const char *name, LLVMValueRef init)
{
    LLVMValueRef g = LLVMAddGlobal(e->mod, LLVMTypeOf(init), name);
    LLVMSetInitializer(g, init);
    LLVMSetGlobalConstant(g, 1);
    return g;
}

/* Firmware that knows its network by the macros alone has no need of the tables: its linker drops
   a section that nothing refers to. */
LLVMValueRef edata_in_own_section(struct emit *e, LLVMValueRef g)
{
    if (e->target->has_function_sections)
        LLVMSetSection(g, ".rodata.bundle");
    return g;
}

LLVMValueRef edata_private(struct emit *e, LLVMValueRef init)
{
    LLVMValueRef g = edata_in_own_section(e, edata_constant(e, "", init));
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    return g;
}

/* Linkers put equal ones together, if they lie in the usual section.  LLVM would align long ones.
 */
LLVMValueRef edata_string(struct emit *e, const char *s)
{
    LLVMValueRef g = edata_constant(e, "", LLVMConstStringInContext2(e->ctx, s, strlen(s), 0));
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    if (e->target->has_function_sections)
        LLVMSetAlignment(g, 1);
    LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
    return g;
}

LLVMValueRef edata_finish(struct edata *f)
{
    return LLVMConstStructInContext(f->e->ctx, f->v, f->n, 0);
}

LLVMValueRef edata_bytes(struct emit *e, const struct bytes *bytes)
{
    const char *data = (const char *)bytes->data;
    return edata_private(e, LLVMConstStringInContext2(e->ctx, data, bytes->size, 0));
}

LLVMValueRef edata_rows(struct emit *e, LLVMValueRef *rows, size_t n)
{
    if (n == 0)
        return LLVMConstNull(e->ptr);
    return edata_private(e, LLVMConstArray2(LLVMTypeOf(rows[0]), rows, n));
}
