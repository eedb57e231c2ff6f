/*
 * What a contraction costs with a tile, as far as that can be known without a device, in cycles of
 * a multiprocessor.
 *
 * All blocks of a multiprocessor share what it multiplies and what the second-level cache brings
 * per cycle; each block by itself is a chain of steps, none shorter than what separates a load from
 * its use divided by the steps that lie between them.  The longer of both counts, with what it
 * takes to fill the pipeline and to finish, once for every round of blocks.  Splitting a sum makes
 * the chain shorter, and costs a launch and the way of the partial sums through memory.
 *
 * The numbers are those of an H100 and hardly matter: what is compared is the same kernel with
 * different tiles.  Products: NVIDIA H100 Tensor Core GPU Architecture, table "Comparison of A100
 * and H100", per multiprocessor and cycle, of which mma.sync reaches about two thirds.  Latencies
 * are the order of magnitude of published measurements, nothing finer.
 */
#include "gpu_runtime/codegen/contract.h"

enum {
    PROCESSORS = 132,
    SHARED_BYTES = 160 << 10, /* for the blocks of a multiprocessor, sm_80 */
    BLOCK_THREADS = 512,      /* that it runs at a time with 128 registers each */
    CACHE_BYTES = 48,         /* from the second-level cache, per cycle */
    LATENCY = 700,            /* of a load that misses the caches of the multiprocessor */
    LEAST_STEP = 150,         /* a barrier, fragments, products */
    FILL = 900,
    FINISH = 400,
    SUM = 8, /* for each that a thread finishes */
    LAUNCH = 2200,
    ALL_BYTES = 2500 /* from the second-level cache to all multiprocessors, per cycle */
};

static int64_t div_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Products of a multiprocessor in a cycle. */
static int rate(enum schedule_product p)
{
    switch (p) {
    case PRODUCT_F16:
    case PRODUCT_BF16:
        return 1280;
    case PRODUCT_TF32:
        return 640;
    case PRODUCT_3XTF32:
        return 640 / 3;
    case PRODUCT_BYTES:
        return 2560;
    default:
        return 128;
    }
}

static int64_t resident(const struct tile *t, int threads)
{
    int64_t by_shared = SHARED_BYTES / ((int64_t)t->e->stages * t->stage_bytes);
    int64_t by_threads = BLOCK_THREADS / threads,
            n = by_shared < by_threads ? by_shared : by_threads;
    return larger(n, 1);
}

/* Cycles of a step's products; without matrix instructions, or of what brings their factors from
   shared memory, 16 bytes for each thread at a time. */
static int64_t step_products(const struct schedule_entry *e, int threads)
{
    enum { WARP = 32, VALUES = 4, READ = 3 };
    int64_t products = (int64_t)e->tile_m * e->tile_n * e->k_block / rate(e->product);
    if (gpu_is_matrix(e))
        return products;
    int64_t reads = (int64_t)(e->part_m + e->part_n) * e->k_block / VALUES;
    return larger(products, threads / WARP * reads * READ);
}

int64_t gpu_tile_cycles(const struct tile *t, int threads, int64_t splits)
{
    const struct schedule_entry *e = t->e;
    int64_t results = t->batch.points * t->m.points * t->n.points;
    int64_t blocks =
        splits * t->batch.points * div_up(t->m.points, e->tile_m) * div_up(t->n.points, e->tile_n);
    int64_t steps = div_up(div_up(t->k.points, splits), e->k_block);
    int64_t step = larger(step_products(e, threads), t->stage_bytes / CACHE_BYTES);
    int64_t each = div_up(blocks, PROCESSORS), rounds = div_up(each, resident(t, threads));
    int64_t chain = larger(larger(LEAST_STEP, step), LATENCY / (e->stages - 1));
    int64_t finish = FINISH + (int64_t)e->tile_m * e->tile_n / threads * SUM;
    int64_t cycles = larger(each * steps * step, rounds * steps * chain) + rounds * (FILL + finish);
    if (splits > 1)
        cycles += LAUNCH + FINISH + 2 * 4 * splits * results / ALL_BYTES;
    return cycles;
}
