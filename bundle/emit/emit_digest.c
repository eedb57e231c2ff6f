/*
 * XXH64 with seed 0 of a number of bytes that is known when the code is made (xxHash fast digest
 * algorithm, specification 0.1.1, section "XXH64 Algorithm Description").
 */
#include "bundle/emit/emit_library_internal.h"

static const uint64_t PRIME[6] = {0,
                                  UINT64_C(0x9e3779b185ebca87),
                                  UINT64_C(0xc2b2ae3d27d4eb4f),
                                  UINT64_C(0x165667b19e3779f9),
                                  UINT64_C(0x85ebca77c2b2ae63),
                                  UINT64_C(0x27d4eb2f165667c5)};

enum { N_LANES = 4, LANE_BYTES = 8, STRIPE_BYTES = N_LANES * LANE_BYTES };

static LLVMValueRef times(struct emit *e, LLVMValueRef v, int prime)
{
    return LLVMBuildMul(e->b, v, plain_i64(e, PRIME[prime]), "");
}

static LLVMValueRef plus(struct emit *e, LLVMValueRef v, uint64_t by)
{
    return LLVMBuildAdd(e->b, v, plain_i64(e, by), "");
}

static LLVMValueRef rotate(struct emit *e, LLVMValueRef v, unsigned by)
{
    LLVMValueRef args[3] = {v, v, plain_i64(e, by)};
    return emit_intrinsic(e, "llvm.fshl", &e->i64, 1, args, 3);
}

/* v xor (v >> by) */
static LLVMValueRef fold(struct emit *e, LLVMValueRef v, unsigned by)
{
    LLVMValueRef high = LLVMBuildLShr(e->b, v, plain_i64(e, by), "");
    return LLVMBuildXor(e->b, v, high, "");
}

static LLVMValueRef round_of(struct emit *e, LLVMValueRef lane, LLVMValueRef input)
{
    LLVMValueRef product = times(e, input, 2);
    lane = LLVMBuildAdd(e->b, lane, product, "");
    return times(e, rotate(e, lane, 31), 1);
}

static LLVMValueRef little_endian(struct emit *e, LLVMTypeRef type, LLVMValueRef data,
                                  LLVMValueRef offset)
{
    return plain_load(e, type, plain_at(e, data, offset));
}

/* The sum of the whole stripes in four lanes. */
static LLVMValueRef stripes(struct emit *e, LLVMValueRef data, uint64_t n_bytes)
{
    const uint64_t start[N_LANES] = {PRIME[1] + PRIME[2], PRIME[2], 0, 0 - PRIME[1]};
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b), body = plain_block(e);
    plain_go(e, body);
    LLVMValueRef at = LLVMBuildPhi(e->b, e->index, "");
    LLVMValueRef phi[N_LANES], lane[N_LANES];
    for (int i = 0; i < N_LANES; i++) {
        LLVMValueRef first = plain_i64(e, start[i]);
        phi[i] = LLVMBuildPhi(e->b, e->i64, "");
        LLVMAddIncoming(phi[i], &first, &before, 1);
    }
    for (int i = 0; i < N_LANES; i++) {
        LLVMValueRef offset = LLVMBuildAdd(e->b, at, emit_index(e, i * LANE_BYTES), "");
        lane[i] = round_of(e, phi[i], little_endian(e, e->i64, data, offset));
        LLVMAddIncoming(phi[i], &lane[i], &body, 1);
    }
    LLVMValueRef zero = emit_index(e, 0);
    LLVMValueRef next = LLVMBuildAdd(e->b, at, emit_index(e, STRIPE_BYTES), "");
    LLVMAddIncoming(at, &zero, &before, 1);
    LLVMAddIncoming(at, &next, &body, 1);
    LLVMValueRef end = emit_index(e, (int64_t)n_bytes);
    LLVMBasicBlockRef exit = plain_block(e);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntULT, next, end, ""), body, exit);
    LLVMPositionBuilderAtEnd(e->b, exit);

    static const unsigned turn[N_LANES] = {1, 7, 12, 18};
    LLVMValueRef sum = rotate(e, lane[0], turn[0]);
    for (int i = 1; i < N_LANES; i++)
        sum = LLVMBuildAdd(e->b, sum, rotate(e, lane[i], turn[i]), "");
    for (int i = 0; i < N_LANES; i++) {
        LLVMValueRef merged = round_of(e, plain_i64(e, 0), lane[i]);
        sum = plus(e, times(e, LLVMBuildXor(e->b, sum, merged, ""), 1), PRIME[4]);
    }
    return sum;
}

/* What is left behind the stripes: whole lanes, one half of a lane, bytes. */
static LLVMValueRef rest(struct emit *e, LLVMValueRef sum, LLVMValueRef data, uint64_t at,
                         uint64_t n_bytes)
{
    for (; n_bytes - at >= LANE_BYTES; at += LANE_BYTES) {
        LLVMValueRef v = little_endian(e, e->i64, data, emit_index(e, (int64_t)at));
        v = round_of(e, plain_i64(e, 0), v);
        sum = rotate(e, LLVMBuildXor(e->b, sum, v, ""), 27);
        sum = plus(e, times(e, sum, 1), PRIME[4]);
    }
    for (; n_bytes - at >= LANE_BYTES / 2; at += LANE_BYTES / 2) {
        LLVMValueRef v = little_endian(e, e->i32, data, emit_index(e, (int64_t)at));
        v = times(e, LLVMBuildZExt(e->b, v, e->i64, ""), 1);
        sum = rotate(e, LLVMBuildXor(e->b, sum, v, ""), 23);
        sum = plus(e, times(e, sum, 2), PRIME[3]);
    }
    for (; at < n_bytes; at++) {
        LLVMValueRef v = little_endian(e, e->i8, data, emit_index(e, (int64_t)at));
        v = times(e, LLVMBuildZExt(e->b, v, e->i64, ""), 5);
        sum = times(e, rotate(e, LLVMBuildXor(e->b, sum, v, ""), 11), 1);
    }
    return sum;
}

LLVMValueRef emit_digest(struct emit *e, LLVMValueRef data, uint64_t n_bytes)
{
    uint64_t n_stripes_bytes = n_bytes - n_bytes % STRIPE_BYTES;
    LLVMValueRef sum = n_stripes_bytes ? stripes(e, data, n_stripes_bytes) : plain_i64(e, PRIME[5]);
    sum = rest(e, plus(e, sum, n_bytes), data, n_stripes_bytes, n_bytes);
    sum = times(e, fold(e, sum, 33), 2);
    sum = times(e, fold(e, sum, 29), 3);
    return fold(e, sum, 32);
}
