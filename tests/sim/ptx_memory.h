/*
 * ptx_memory.h: the memory of the simulated device, and what is known of each byte of it.
 *
 * Addresses of the device are not valid on the host, and none is given out twice, so that a pointer
 * used after its memory was freed is found.  Besides its content every byte has a state, and every
 * four bytes a mark of who wrote and who read them last (ptx_check.h).  Pages that nobody touches
 * cost nothing.
 */
#ifndef SHEAF_TESTS_SIM_PTX_MEMORY_H
#define SHEAF_TESTS_SIM_PTX_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where generic addresses of each space begin.  No such address is one of the host. */
#define PTX_DEVICE_BASE   UINT64_C(0x0100000000000000)
#define PTX_SHARED_WINDOW UINT64_C(0x0200000000000000)
#define PTX_LOCAL_WINDOW  UINT64_C(0x0300000000000000)
#define PTX_WINDOW_BYTES  UINT64_C(0x0001000000000000)

/* States of a byte; 0 is outside of every allocation. */
enum { PTX_BYTE_THERE = 1, PTX_BYTE_WRITTEN = 2, PTX_BYTE_CONSTANT = 4 };

enum ptx_owner { PTX_OWNER_CLIENT, PTX_OWNER_MODULE };

struct ptx_allocation {
    uint64_t address, n_bytes;
    enum ptx_owner owner;
    bool freed;
};

struct ptx_memory {
    uint8_t *bytes, *state;
    uint32_t *writer, *reader; /* of each four bytes: PTX_TAG_BYTES bits of mask, then a tag */
    uint64_t end;              /* of what was ever given out, from PTX_DEVICE_BASE */
    uint64_t limit_bytes;      /* most that may be in use */
    uint64_t in_use_bytes, peak_bytes;
    struct ptx_allocation *allocations; /* by address */
    size_t n_allocations, cap_allocations;
    uint32_t next_tag;
};

struct ptx_memory *ptx_memory_create(uint64_t limit_bytes);
void ptx_memory_destroy(struct ptx_memory *m);

/* 0 where the limit is exceeded.  Nothing of it is written yet. */
uint64_t ptx_memory_alloc(struct ptx_memory *m, uint64_t n_bytes, enum ptx_owner owner);
/* False where no allocation in use begins there. */
bool ptx_memory_free(struct ptx_memory *m, uint64_t address);
/* The allocation that the address lies in, freed ones too; else NULL. */
const struct ptx_allocation *ptx_memory_find(const struct ptx_memory *m, uint64_t address);
/* True where all bytes lie in one allocation in use. */
bool ptx_memory_holds(const struct ptx_memory *m, uint64_t address, uint64_t n_bytes);

/* The host's side.  The range is one that the memory holds. */
void ptx_memory_write(struct ptx_memory *m, uint64_t to, const void *from, uint64_t n_bytes);
void ptx_memory_fill(struct ptx_memory *m, uint64_t to, uint32_t value, unsigned value_bytes,
                     uint64_t n);
void ptx_memory_read(const struct ptx_memory *m, void *to, uint64_t from, uint64_t n_bytes);
/* What was not written there is not written here afterwards. */
void ptx_memory_copy(struct ptx_memory *m, uint64_t to, uint64_t from, uint64_t n_bytes);
void ptx_memory_make_constant(struct ptx_memory *m, uint64_t address, uint64_t n_bytes);
/* n tags that no four bytes bear yet; returns the first. */
uint32_t ptx_memory_take_tags(struct ptx_memory *m, uint32_t n);

#endif
