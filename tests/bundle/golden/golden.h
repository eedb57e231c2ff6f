/*
 * Made by sheaf 0.1.0; do not edit.
 *
 * Model:     golden.onnx
 * Target:    x86_64-unknown-linux-gnu
 * Processor: x86-64-v3
 * Features:  +sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,
 *            +lzcnt,+movbe
 * Memory:    320 bytes constant, 192 mutable, 0 activations
 *            (of the activations 0 are alive at once, 100.0%)
 * RAM:       192 bytes and 168 of stack at most in a call
 * Flash:     961 bytes code and tables, 320 weights
 * Products:  150 in a run
 *
 * Symbols: name, role, type and shape, place in its area, name in the model
 *   data: input f32[3,5], 60 bytes at 0, "data"
 *   prob_1: output f32[3,10], 120 bytes at 64, "prob/1"
 *   weight: constant f32[5,10] packed ba16b, 320 bytes at 0, "weight"
 */
#ifndef SHEAF_BUNDLE_golden_H
#define SHEAF_BUNDLE_golden_H

#ifdef GOLDEN_MEM_ALIGN
#error "another bundle's name differs from this one's in capitals only"
#endif

/*
 * bundle.h: the contract between an emitted bundle and the program that runs it.
 *
 * A bundle NAME consists of NAME.o (object code), NAME.weights (the initial content of the
 * constant area) and NAME.h (a generated header).  The object defines
 *
 *     int NAME(uint8_t *constantWeightVars, uint8_t *mutableWeightVars, uint8_t *activations);
 *     const struct BundleConfig NAME_config;
 *     const struct sheaf_bundle_info NAME_info;
 *
 * The caller owns the three areas.  Each must be aligned to `alignment` bytes and at least as large
 * as NAME_config says.  NAME() is a pure function of them: it has no writable globals, allocates
 * nothing and calls nothing outside the object, but for the user's functions that it was made with
 * (loader -extern-op); it may run concurrently on distinct mutable and activations areas (constants
 * may be shared).  It returns 0 on success.
 *
 * SymbolTableEntry and BundleConfig are laid out exactly as a Glow bundle lays them out; all else
 * is in the versioned NAME_info.  The file needs nothing but the C library's headers and is valid
 * C99, C11 and C++.
 */
#ifndef SHEAF_BUNDLE_H
#define SHEAF_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a variable lies inside its memory area. */
struct SymbolTableEntry {
    const char *name; /* legalised: a C identifier, unique in the bundle */
    size_t offset;    /* bytes from the start of the area */
    size_t size;      /* elements, not bytes */
    char kind;        /* 1: mutable area (inputs, outputs, state); 0: constant area; 2: activations
                         area, behind the last row only (n_overlaid in NAME_info) */
};

/* Sizes of the memory areas in bytes, and the symbols that lie in them. */
struct BundleConfig {
    size_t constantWeightVarsMemSize;
    size_t mutableWeightVarsMemSize;
    size_t activationsMemSize;
    size_t alignment;
    size_t numSymbols;
    const struct SymbolTableEntry *symbolTable;
};

#ifndef __cplusplus
typedef struct SymbolTableEntry SymbolTableEntry;
typedef struct BundleConfig BundleConfig;
#endif

/* The type of NAME(). */
typedef int (*sheaf_entry_fn)(uint8_t *constants, uint8_t *mutables, uint8_t *activations);

#ifndef SHEAF_STATUS_DEFINED
#define SHEAF_STATUS_DEFINED
/*
 * Status of every call that can fail, in the tool, the libraries and the runtimes.  The numbers are
 * part of the contract: they never change meaning.
 */
enum sheaf_status {
    SHEAF_OK = 0,
    SHEAF_ERROR_ARGUMENT = 1,    /* an argument of the call is out of its domain */
    SHEAF_ERROR_IO = 2,          /* a file cannot be opened, read, written or mapped */
    SHEAF_ERROR_FORMAT = 3,      /* a file's content is malformed or of the wrong size or digest */
    SHEAF_ERROR_UNSUPPORTED = 4, /* valid, but not something this build can do */
    SHEAF_ERROR_SHAPE = 5,       /* shapes or types do not fit together */
    SHEAF_ERROR_MEMORY = 6,      /* an allocation failed or a size exceeds a limit */
    SHEAF_ERROR_NOT_FOUND = 7,   /* no symbol, file or entry of that name */
    SHEAF_ERROR_VERSION = 8,     /* made by an incompatible version */
    SHEAF_ERROR_PROCESSOR = 9,   /* the processor lacks a feature that the bundle needs */
    SHEAF_ERROR_CODEGEN = 10,    /* code generation failed or was aborted by the back end */
    SHEAF_ERROR_DEVICE = 11,     /* a device is missing or reported a failure */
    SHEAF_ERROR_DIVERGED = 12    /* a verification found a difference */
};
#endif

#ifndef SHEAF_DTYPE_DEFINED
#define SHEAF_DTYPE_DEFINED
/*
 * Element types.  The numbers are those of ONNX's TensorProto.DataType (onnx/onnx.proto), so that
 * a client which knows ONNX knows them.  Types of 4 bits are packed two per byte, those of
 * 2 bits four, the first element in the lowest bits.
 */
enum sheaf_dtype {
    SHEAF_FLOAT32 = 1,
    SHEAF_UINT8 = 2,
    SHEAF_INT8 = 3,
    SHEAF_UINT16 = 4,
    SHEAF_INT16 = 5,
    SHEAF_INT32 = 6,
    SHEAF_INT64 = 7,
    SHEAF_BOOL = 9,
    SHEAF_FLOAT16 = 10,
    SHEAF_FLOAT64 = 11,
    SHEAF_UINT32 = 12,
    SHEAF_UINT64 = 13,
    SHEAF_BFLOAT16 = 16,
    SHEAF_FLOAT8E4M3FN = 17,
    SHEAF_FLOAT8E4M3FNUZ = 18,
    SHEAF_FLOAT8E5M2 = 19,
    SHEAF_FLOAT8E5M2FNUZ = 20,
    SHEAF_UINT4 = 21,
    SHEAF_INT4 = 22,
    SHEAF_FLOAT4E2M1 = 23,
    SHEAF_FLOAT8E8M0 = 24,
    SHEAF_UINT2 = 25,
    SHEAF_INT2 = 26
};
#endif

#ifndef SHEAF_EXTERN_DEFINED
#define SHEAF_EXTERN_DEFINED
/*
 * Operators of the user's own (loader -extern-op=com.acme.Foo).  Each is a C function in the
 * program, void sheaf_extern_com_acme_Foo(const struct sheaf_extern_call *call), which a run calls
 * once for each of the nodes of that operator that it comes to: in the thread that calls NAME(), of
 * a device's network in one of the host.  It writes all elements of all outputs, as a function of
 * inputs and attributes alone.  What it is given holds until it returns.
 */
struct sheaf_extern_input {
    const void *data;    /* dense, the last dimension varies fastest; begins at a multiple of 64
                            bytes.  NULL: the input is left out */
    const int64_t *dims; /* `rank` extents */
    uint32_t dtype;      /* enum sheaf_dtype; 0: left out */
    uint32_t rank;
};

struct sheaf_extern_output {
    void *data; /* NULL: nobody wants it */
    const int64_t *dims;
    uint32_t dtype;
    uint32_t rank;
};

enum sheaf_attribute_kind {
    SHEAF_ATTRIBUTE_INTS = 1,
    SHEAF_ATTRIBUTE_FLOATS = 2,
    SHEAF_ATTRIBUTE_STRINGS = 3,
    SHEAF_ATTRIBUTE_TENSOR = 4
};

/* A single number or text is a list of one. */
struct sheaf_extern_attribute {
    const char *name;
    uint32_t kind; /* enum sheaf_attribute_kind */
    uint32_t n;    /* how many values; of a tensor, which of the inputs it is */
    union {
        const int64_t *ints;
        const float *floats;
        const char *const *strings;
    } values; /* of a tensor NULL */
};

struct sheaf_extern_call {
    const struct sheaf_extern_input *inputs; /* n_inputs, and behind them tensors of attributes */
    const struct sheaf_extern_output *outputs;
    const struct sheaf_extern_attribute *attributes; /* in the model's order */
    uint32_t n_inputs;
    uint32_t n_outputs;
    uint32_t n_attributes;
    uint32_t reserved; /* 0 */
};

typedef void (*sheaf_extern_fn)(const struct sheaf_extern_call *call);
#endif

enum sheaf_role {
    SHEAF_ROLE_CONSTANT = 0,
    SHEAF_ROLE_INPUT = 1,
    SHEAF_ROLE_OUTPUT = 2,
    SHEAF_ROLE_STATE = 3 /* mutable, outlives a call; all zero bytes is a valid start */
};

#define SHEAF_MAX_RANK 8

/* What NAME_config cannot say of a symbol; entry i belongs to symbolTable[i]. */
struct sheaf_symbol_info {
    const char *original_name; /* the tensor's name in the model */
    uint32_t dtype;            /* enum sheaf_dtype */
    uint32_t role;             /* enum sheaf_role */
    uint32_t rank;
    float scale;          /* real = (stored - zero_point) * scale; 0: not quantized */
    int32_t zero_point;   /* 0 where scale is 0 */
    uint32_t reserved;    /* 0 */
    uint64_t size_bytes;  /* bytes that the symbol occupies in its area */
    const uint64_t *dims; /* `rank` dimensions; upper bounds where extent_offsets says so */
    const char *layout;   /* "plain" (row-major), or the packing in the notation of
                             docs/bundle-abi.md */
    /* For each dimension, the offset of an int64_t in the activations area that holds its extent
       after a run, or UINT64_MAX where the dimension is fixed.  NULL: all are fixed.  The data is
       dense at the true extents. */
    const uint64_t *extent_offsets;
};

#define SHEAF_INFO_VERSION 1u

/*
 * A bundle may hold code for several processors (loader -mcpu=a,b), each with its own packing of
 * the weights in the one constant area.  It then has two more functions:
 *
 *     uint32_t NAME_select(void);
 *     int NAME_run(uint32_t variant, uint8_t *constantWeightVars, uint8_t *mutableWeightVars,
 *                  uint8_t *activations);
 *
 * NAME_select finds out which of them this processor, under its operating system, can run: the
 * first of the list, or SHEAF_NO_VARIANT.  It takes as long as a processor's identification does
 * (some microseconds in a virtual machine), so call it once and keep the number.  NAME() is both in
 * one. Without a variant that can run they return SHEAF_ERROR_PROCESSOR.
 */
#define SHEAF_NO_VARIANT UINT32_MAX

typedef uint32_t (*sheaf_select_fn)(void);
typedef int (*sheaf_run_fn)(uint32_t variant, uint8_t *constants, uint8_t *mutables,
                            uint8_t *activations);

struct sheaf_variant {
    const char *cpu;      /* LLVM processor name */
    const char *features; /* that the code needs, comma-separated */
};

/*
 * ---- bundles for devices ----
 *
 * The object of such a bundle is one of the host.  It holds the device's code as data and a plan:
 * which of its kernels run, one after the other, on which parts of the three areas, which lie in
 * the device's memory.  A runtime walks it; NAME() itself returns SHEAF_ERROR_DEVICE.
 */
enum sheaf_device {
    SHEAF_DEVICE_NVIDIA = 1,
    SHEAF_DEVICE_VE = 2 /* NEC SX-Aurora */
};

enum sheaf_image_kind {
    SHEAF_IMAGE_PTX = 1,   /* text of NVIDIA's virtual instruction set, and a 0 behind it */
    SHEAF_IMAGE_CUBIN = 2, /* machine code for one architecture of NVIDIA's */
    SHEAF_IMAGE_VE = 3     /* a shared object of the Vector Engine: ELF */
};

struct sheaf_image {
    uint32_t kind; /* enum sheaf_image_kind */
    uint32_t arch; /* the compute capability that it asks for, 80 for 8.0; on a Vector Engine 1 */
    const uint8_t *data;
    uint64_t size; /* bytes; of text without the 0 */
};

/* A function of the image.  Its parameters are pointers. */
struct sheaf_kernel {
    const char *name;
    uint32_t blocks;       /* of threads, in a launch */
    uint32_t threads;      /* of a block */
    uint32_t shared_bytes; /* of a block, to be given at the launch */
    uint32_t n_parameters;
};

struct sheaf_pointer {
    uint64_t offset; /* bytes, in its area */
    uint32_t area;   /* 0 constants, 1 mutable, 2 activations; SHEAF_AREA_.., SHEAF_NO_AREA */
    uint32_t reserved;
};

/* In the host's memory: host_bytes of the plan, for each context; the constants. */
#define SHEAF_AREA_HOST           3u
#define SHEAF_AREA_HOST_CONSTANTS 4u
#define SHEAF_NO_AREA             UINT32_MAX

/* A kernel that runs on the host: as many addresses as it has parameters, each a uint64_t. */
typedef void (*sheaf_host_fn)(void *addresses);

struct sheaf_host_kernel {
    sheaf_host_fn run;
    uint32_t n_parameters;
    uint32_t reserved;
};

enum sheaf_step_kind {
    /* `kernel` on the pointers from `pointer` on; on a Vector Engine without pointers. */
    SHEAF_STEP_LAUNCH = 1,
    /* The steps behind it, up to the ELSE or END at position `to`, where the byte at `pointer` is
       not 0; else those behind the ELSE, up to its END. */
    SHEAF_STEP_IF = 2,
    SHEAF_STEP_ELSE = 3,
    /*
     * The steps behind it, up to the END at `to`, for i = 0, 1, ..: while i is less than the
     * int64_t at `pointer` and the byte at the next pointer is not 0, of which either may be
     * nowhere.  The int64_t at the third pointer is set to i before these are looked at.  `count`
     * is how many there are, where that is known, else -1.
     */
    SHEAF_STEP_LOOP = 4,
    SHEAF_STEP_END = 5,
    /* `count` bytes to `pointer` from the next one, one of which leads to the host's area and one
       to the device's memory. */
    SHEAF_STEP_COPY = 6,
    /* Host kernel number `kernel` on the pointers from `pointer` on. */
    SHEAF_STEP_HOST = 7
};

struct sheaf_step {
    uint32_t kind; /* enum sheaf_step_kind */
    uint32_t kernel;
    uint32_t pointer;
    uint32_t to;
    int64_t count;
};

struct sheaf_plan {
    uint32_t struct_size; /* sizeof(struct sheaf_plan) when the bundle was made */
    uint32_t device;      /* enum sheaf_device */
    uint32_t n_images;
    uint32_t n_kernels;
    uint32_t n_steps;
    uint32_t n_pointers;
    const struct sheaf_image *images;
    const struct sheaf_kernel *kernels;
    const struct sheaf_step *steps;
    const struct sheaf_pointer *pointers;
    /* Steps that stay on the host: */
    uint32_t n_host_kernels;
    uint32_t reserved;
    uint64_t host_bytes; /* of the area that they have there */
    const struct sheaf_host_kernel *host_kernels;
    const char *host_features; /* of the processor, that they need; NULL where there are none */
};

/*
 * On a Vector Engine one function is the whole network, so its plan is one image, one kernel and no
 * steps; or where steps stay on the host, a kernel for all that lies between two of those, and
 * launches without pointers.  A kernel is `uint64_t name(uint64_t call)`, with the address of a
 * sheaf_ve_call, and returns an enum sheaf_status.  A launch is one call of it in each of n_ranks
 * cores, at most `blocks` of the kernel (its `threads` are 1); they share the work, and meet at
 * barriers.
 */
struct sheaf_ve_call {
    uint64_t constants, mutables, activations; /* where the areas lie in the device's memory */
    uint64_t rank, n_ranks;
    uint64_t barrier; /* SHEAF_VE_BARRIER_BYTES, aligned to SHEAF_VE_BARRIER_ALIGNMENT: 0 before the
                         first run of n_ranks cores, then what the run before has left there */
};

#define SHEAF_VE_BARRIER_BYTES     4096u
#define SHEAF_VE_BARRIER_ALIGNMENT 64u
#define SHEAF_VE_MAX_RANKS         16u /* cores of the largest card */

/* NAME_info.  Fields are only ever appended; struct_size tells how many there are. */
struct sheaf_bundle_info {
    uint32_t version;           /* SHEAF_INFO_VERSION */
    uint32_t struct_size;       /* sizeof(struct sheaf_bundle_info) when the bundle was made */
    const char *name;           /* of the entry point */
    const char *tool;           /* name and version of the tool that made the bundle */
    const char *triple;         /* LLVM triple of the code */
    const char *cpu;            /* LLVM processor name the code was made for */
    const char *features;       /* processor features that the code needs, comma-separated; of
                                   several variants, what all of them need */
    uint8_t weights_digest[16]; /* XXH3-128 of NAME.weights, canonical (big-endian) bytes */
    uint32_t fp_control;        /* SHEAF_FP_CALLER: runs under the caller's rounding and denormal
                                   modes, and leaves them alone */
    uint32_t n_variants;        /* 0: the code is for one processor */
    const struct BundleConfig *config;
    const struct sheaf_symbol_info *symbols; /* config->numSymbols + n_overlaid entries */
    const struct sheaf_variant *variants;    /* NULL where there are none, as the next two */
    sheaf_select_fn select;
    sheaf_run_fn run;
    uint64_t stack_bytes; /* that a call needs at most, its return address included; 0: not known
                             (code with RISC-V's vectors) */
    uint64_t macs;        /* products that a run adds up, at the bounds of the shapes */
    uint64_t layout_id;   /* not 0: any weights of this layout will do, see below */
    /* Inputs and outputs that lie inside the activations area (loader -overlay-io): so many rows of
       `symbols` and of config->symbolTable behind the numSymbols that the config tells of.  Their
       kind is 2, their offsets are in the activations area.  A run overwrites such inputs; such an
       output holds until the next run. */
    uint64_t n_overlaid;
    const struct sheaf_plan *plan; /* of a bundle for a device; NULL: the code is NAME() */
};

#define SHEAF_FP_CALLER 0u

/*
 * A bundle made with -replaceable-weights takes weights that were trained later (-repack-weights),
 * so its weights_digest is all zero, and its weights file says behind the area itself what it is:
 * these 64 bytes.
 */
struct sheaf_weights_trailer {
    uint8_t magic[8];     /* SHEAF_WEIGHTS_MAGIC */
    uint8_t layout_id[8]; /* that of NAME_info, its low byte first */
    uint8_t digest[16];   /* XXH3-128 of the area, canonical (big-endian) bytes */
    uint8_t digest64[8];  /* of a library's file, XXH64 of the area, its low byte first; else 0 */
    uint8_t reserved[24]; /* 0 */
};

#define SHEAF_WEIGHTS_MAGIC "SHEAFWT1"

#ifdef __cplusplus
}
#endif

#endif

#ifndef SHEAF_BUNDLE_MACROS_DEFINED
#define SHEAF_BUNDLE_MACROS_DEFINED

/* What lies `offset` bytes into an area. */
#ifdef __cplusplus
#define SHEAF_AT(type, area, offset) static_cast<type *>(static_cast<void *>((area) + (offset)))
#define SHEAF_CONST_AT(type, area, offset) \
    static_cast<const type *>(static_cast<const void *>((area) + (offset)))
#else
#define SHEAF_AT(type, area, offset) ((type *)(void *)((area) + (offset)))
#define SHEAF_CONST_AT(type, area, offset) ((const type *)(const void *)((area) + (offset)))
#endif

/* Before the declaration of a static area: SHEAF_ALIGNED(64) static uint8_t area[1024]; */
#if defined(__GNUC__)
#define SHEAF_ALIGNED(bytes) __attribute__((aligned(bytes)))
#elif defined(__cplusplus)
#define SHEAF_ALIGNED(bytes) alignas(bytes)
#else
#define SHEAF_ALIGNED(bytes) _Alignas(bytes)
#endif

#endif

/* The areas: sizes and alignment in bytes. */
#define GOLDEN_CONSTANT_MEM_SIZE 320
#define GOLDEN_MUTABLE_MEM_SIZE 192
#define GOLDEN_ACTIVATIONS_MEM_SIZE 0
#define GOLDEN_MEM_ALIGN 64

/* Bytes of stack that a call needs at most. */
#define GOLDEN_STACK_BYTES 168

/* Products that a run adds up. */
#define GOLDEN_MACS 150

/* Inputs, outputs and state: offset in the mutable area, bytes, elements. */
/* data: input f32[3,5] */
#define GOLDEN_data 0
#define GOLDEN_BYTES_data 60
#define GOLDEN_ELEMS_data 15
/* prob_1: output f32[3,10] */
#define GOLDEN_prob_1 64
#define GOLDEN_BYTES_prob_1 120
#define GOLDEN_ELEMS_prob_1 30

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Runs the network: reads weights and inputs, writes the outputs. Each area begins at a multiple
 * of GOLDEN_MEM_ALIGN bytes. Returns 0.
 */
int net(uint8_t *constantWeightVars, uint8_t *mutableWeightVars,
    uint8_t *activations);

/* The areas and their symbols, and what else is known of the bundle. */
extern const struct BundleConfig net_config;
extern const struct sheaf_bundle_info net_info;

/* Inputs, outputs and state inside their area. */
static inline float *net_get_data(uint8_t *mutableWeightVars)
{
    return SHEAF_AT(float, mutableWeightVars, GOLDEN_data);
}
static inline float *net_get_prob_1(uint8_t *mutableWeightVars)
{
    return SHEAF_AT(float, mutableWeightVars, GOLDEN_prob_1);
}

#ifdef __cplusplus
}
#endif

#endif
