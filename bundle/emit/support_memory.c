/* Copies and fills, byte by byte: the back ends ask for them rarely, and for a few bytes. */
#include "bundle/emit/support.h"

static LLVMTypeRef byte(struct support *s)
{
    return LLVMInt8TypeInContext(s->ctx);
}

static LLVMValueRef at(struct support *s, LLVMValueRef p, LLVMValueRef i)
{
    return LLVMBuildInBoundsGEP2(s->b, byte(s), p, &i, 1, "");
}

static void copy_byte(struct support *s, LLVMValueRef to, LLVMValueRef from, LLVMValueRef i)
{
    LLVMValueRef v = LLVMBuildLoad2(s->b, byte(s), at(s, from, i), "");
    LLVMSetAlignment(v, 1);
    LLVMSetAlignment(LLVMBuildStore(s->b, v, at(s, to, i)), 1);
}

/* for (i = 0; i < n; i++) */
static struct support_loop count_up(struct support *s, LLVMValueRef n)
{
    LLVMValueRef zero = support_int(n, 0);
    struct support_loop l = support_loop_begin(s, 1, &zero);
    support_loop_while(s, &l, LLVMBuildICmp(s->b, LLVMIntULT, l.v[0], n, ""));
    return l;
}

static void count_end(struct support *s, struct support_loop *l)
{
    LLVMValueRef next = LLVMBuildAdd(s->b, l->v[0], support_int(l->v[0], 1), "");
    support_loop_end(s, l, &next);
}

void support_body_copy(struct support *s)
{
    LLVMValueRef to = support_param(s, 0), from = support_param(s, 1);
    struct support_loop l = count_up(s, support_param(s, 2));
    copy_byte(s, to, from, l.v[0]);
    count_end(s, &l);
    support_return(s, to);
}

/* From the end where the target begins inside the source. */
void support_body_move(struct support *s)
{
    LLVMValueRef to = support_param(s, 0), from = support_param(s, 1), n = support_param(s, 2);
    LLVMValueRef to_int = LLVMBuildPtrToInt(s->b, to, s->index, "");
    LLVMValueRef from_int = LLVMBuildPtrToInt(s->b, from, s->index, "");
    LLVMValueRef ahead = LLVMBuildSub(s->b, to_int, from_int, "");
    LLVMValueRef inside = LLVMBuildICmp(s->b, LLVMIntULT, ahead, n, "");
    LLVMValueRef down = LLVMBuildSelect(s->b, inside, n, support_int(n, 0), "");
    struct support_loop l = support_loop_begin(s, 1, &down);
    support_loop_while(s, &l, LLVMBuildICmp(s->b, LLVMIntNE, l.v[0], support_int(n, 0), ""));
    LLVMValueRef next = LLVMBuildSub(s->b, l.v[0], support_int(n, 1), "");
    copy_byte(s, to, from, next);
    support_loop_end(s, &l, &next);
    support_return_if(s, inside, to);
    l = count_up(s, n);
    copy_byte(s, to, from, l.v[0]);
    count_end(s, &l);
    support_return(s, to);
}

static void fill(struct support *s, LLVMValueRef n, LLVMValueRef with)
{
    LLVMValueRef to = support_param(s, 0);
    with = LLVMBuildTrunc(s->b, with, byte(s), "");
    struct support_loop l = count_up(s, n);
    LLVMSetAlignment(LLVMBuildStore(s->b, with, at(s, to, l.v[0])), 1);
    count_end(s, &l);
    support_return(s, to);
}

void support_body_fill(struct support *s)
{
    fill(s, support_param(s, 2), support_param(s, 1));
}

/* The run-time ABI has size and content the other way round. */
void support_body_fill_arm(struct support *s)
{
    fill(s, support_param(s, 1), support_param(s, 2));
}

void support_body_clear(struct support *s)
{
    fill(s, support_param(s, 1), LLVMConstInt(s->i32, 0, 0));
}
