/*
 * main.c: firmware that classifies the samples that were linked into it.
 *
 * All memory is known when it is linked: the weights are read where they lie in flash, the other
 * two areas are arrays.  Nothing here needs a C library.  The text is the same on every board, but
 * for the last lines, which begin with "cost".
 */
#include "board.h"
#include "network.h"
#include "samples.h"

/* Either area may be empty, an array may not. */
SHEAF_ALIGNED(NETWORK_MEM_ALIGN) static uint8_t mutables[NETWORK_MUTABLE_MEM_SIZE + 1];
SHEAF_ALIGNED(NETWORK_MEM_ALIGN) static uint8_t activations[NETWORK_ACTIVATIONS_MEM_SIZE + 1];

/* ---- text ---- */

/* Without division, which the smallest processors do not have. */
static void say_decimal(uint32_t v)
{
    static const uint32_t powers[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                      10000,      1000,      100,      10,      1};
    char text[11];
    uint32_t n = 0;
    for (uint32_t i = 0; i < sizeof powers / sizeof powers[0]; i++) {
        char digit = '0';
        for (; v >= powers[i]; v -= powers[i])
            digit++;
        if (n > 0 || digit != '0' || powers[i] == 1)
            text[n++] = digit;
    }
    text[n] = '\0';
    board_say(text);
}

static void say_hex(uint32_t v)
{
    char text[9];
    for (uint32_t i = 0; i < 8; i++)
        text[i] = "0123456789abcdef"[v >> (28 - 4 * i) & 15];
    text[8] = '\0';
    board_say(text);
}

static void stop(const char *why)
{
    board_say(why);
    board_say("\n");
    board_stop(1);
}

/* ---- the network's input and output ---- */

/* The first symbol of a role.  A program that is for one network would use the macros and the
   functions of network.h instead. */
static uint32_t find_symbol(enum sheaf_role role)
{
    uint32_t n = (uint32_t)(network_config.numSymbols + network_info.n_overlaid);
    for (uint32_t i = 0; i < n; i++)
        if (network_info.symbols[i].role == (uint32_t)role)
            return i;
    stop("the network has no input or no output");
    return 0;
}

/* Inputs and outputs of a network that was made with -overlay-io lie in the activations. */
static uint8_t *place_of(uint32_t symbol)
{
    const struct SymbolTableEntry *row = &network_config.symbolTable[symbol];
    return (row->kind == 2 ? activations : mutables) + row->offset;
}

/* A number that is the greater the greater the element is.  The bits of floats are in order, but
   for negative ones, where they are in the opposite order. */
static int32_t rank_of(const uint8_t *data, uint32_t dtype, uint32_t i)
{
    if (dtype == SHEAF_INT8)
        return ((const int8_t *)data)[i];
    if (dtype == SHEAF_UINT8)
        return data[i];
    if (dtype != SHEAF_FLOAT32)
        stop("the output is neither float nor 8-bit integers");
    int32_t bits = ((const int32_t *)(const void *)data)[i];
    return bits >= 0 ? bits : bits ^ INT32_MAX;
}

static uint32_t find_best(const uint8_t *data, uint32_t dtype, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (rank_of(data, dtype, i) > rank_of(data, dtype, best))
            best = i;
    return best;
}

/* FNV-1a: tells whether two machines have the same bits. */
static uint32_t digest(const uint8_t *data, uint32_t n)
{
    uint32_t h = 0x811c9dc5;
    for (uint32_t i = 0; i < n; i++)
        h = (h ^ data[i]) * 0x01000193;
    return h;
}

/* ---- running it ---- */

static void run(const struct sample *s, struct board_cost *out_cost)
{
    uint32_t in = find_symbol(SHEAF_ROLE_INPUT), out = find_symbol(SHEAF_ROLE_OUTPUT);
    uint8_t *input = place_of(in), *output = place_of(out);
    const struct sheaf_symbol_info *result = &network_info.symbols[out];
    if (network_info.symbols[in].size_bytes != s->n_bytes)
        stop("a sample does not have the size of the network's input");
    for (uint32_t i = 0; i < s->n_bytes; i++)
        input[i] = s->data[i];
    /* The constants are only read, though the type does not say so. */
    if (board_call(network, (uint8_t *)(uintptr_t)network_weights, mutables, activations,
                   out_cost) != 0)
        stop("the network reports a failure");
    board_say(s->name);
    board_say(": class ");
    say_decimal(find_best(output, result->dtype, (uint32_t)network_config.symbolTable[out].size));
    board_say(", bits of all outputs ");
    say_hex(digest(output, (uint32_t)result->size_bytes));
    board_say("\n");
}

int main(void)
{
    struct board_cost cost, most = {0, 0};
    for (uint32_t i = 0; i < n_samples; i++) {
        run(&samples[i], &cost);
        if (cost.stack_bytes > most.stack_bytes)
            most.stack_bytes = cost.stack_bytes;
        if (cost.ticks > most.ticks)
            most.ticks = cost.ticks;
    }
    board_say("cost: stack ");
    say_decimal(most.stack_bytes);
    board_say(" bytes, at most ");
    say_decimal(NETWORK_STACK_BYTES);
    board_say("\ncost: time ");
    say_decimal(most.ticks);
    board_say(" ticks of a clock of ");
    say_decimal(board_hz);
    board_say(" Hz\n");
    board_stop(0);
    return 0;
}
